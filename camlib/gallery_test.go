package camlib_test

import (
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// TestGallery is one image by a few methods: seven tiles are two rows.
func TestGallery(t *testing.T) {
	model, err := camlib.Article()
	if err != nil {
		t.Fatal(err)
	}
	methods := []string{"cam", "gradcam", "gradcam++", "layercam", "eigencam", "randomcam"}
	img := cifar10.Sample().Image(7)
	two, err := model.Gallery(img, "predicted", methods...)
	if err != nil {
		t.Fatal(err)
	}
	one, err := model.Gallery(img, "predicted", methods[:5]...)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := one.Bounds().Dy(), two.Bounds().Dy(); b < a+30 || one.Bounds().Dx() < 6*96 {
		t.Errorf("%d rows of pixels with six tiles, %d with seven, want another row", a, b)
	}
	if _, err := model.Gallery(img, "griffin", methods...); err == nil {
		t.Error("no error for a class that there is not")
	}
}
