package camlib_test

import (
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// TestGallery is one image by a few methods: seven tiles are two rows.
func TestGallery(t *testing.T) {
	model, err := camlib.Article()
	if err != nil {
		t.Fatal(err)
	}
	var methods []cam.Method
	for _, name := range []string{"cam", "gradcam", "gradcam++", "layercam", "eigencam", "randomcam"} {
		m, err := cam.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		methods = append(methods, m)
	}
	img := cifar10.Sample().Image(7)
	two, err := model.Gallery(methods, "predicted", img)
	if err != nil {
		t.Fatal(err)
	}
	one, err := model.Gallery(methods[:5], "predicted", img)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := one.Bounds().Dy(), two.Bounds().Dy(); b < a+30 || one.Bounds().Dx() < 6*96 {
		t.Errorf("%d rows of pixels with six tiles, %d with seven, want another row", a, b)
	}
	if _, err := model.Gallery(methods, "griffin", img); err == nil {
		t.Error("no error for a class that there is not")
	}
}
