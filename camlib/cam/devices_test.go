package cam_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/cam"
)

// TestDevicesAgree: every method makes the same maps on several devices, which here do not
// divide the images, nor all the changed images of one, and the weights stay.
func TestDevicesAgree(t *testing.T) {
	b, net := backendOf(t, xlaCPU), newToy().Network
	x := picture(3, 4, 6)
	one := explainer(t, b, net, cam.Options{})
	two := explainer(t, b, net, cam.Options{Devices: 2})
	four := explainer(t, b, net, cam.Options{Devices: 4})
	for i, m := range methods() {
		tolerance := 2e-5
		if m.Spec().Perturbations != nil {
			tolerance = 1e-3 // of nearly equal scores, less one another
		}
		want := explain(t, one, m, x, cam.Predicted)
		several := two
		if i%4 == 0 {
			several = four
		}
		got := explain(t, several, m, x, cam.Predicted)
		near(t, m.Spec().Name, got.Maps, want.Maps, tolerance)
		near(t, m.Spec().Name+": scores", got.Scores, want.Scores, 1e-5)
		if diff := cmp.Diff(want.Outcome, got.Outcome); diff != "" || !slices.Equal(got.Class, want.Class) {
			t.Errorf("%s: classes %v, want %v; outcomes (-one +several devices):\n%s", m.Spec().Name, got.Class, want.Class, diff)
		}
	}
	if _, err := cam.New(b, net, cam.Options{Devices: 1000}); err == nil || !strings.HasPrefix(err.Error(), "cam: new: 1000 devices, but XLA on CPU") {
		t.Errorf("1000 devices: error %v", err)
	}
}
