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

// TestConcurrentDevices: runs on several devices take turns, for two at once could each wait
// for a device that the other has, and place the weights once.
func TestConcurrentDevices(t *testing.T) {
	e := explainer(t, backendOf(t, xlaCPU), newToy().Network, cam.Options{Devices: 2})
	x := picture(3, 4, 6)
	const n = 4
	all := make(chan *cam.Result, n)
	for i := range n {
		go func() {
			r, err := e.Explain(t.Context(), methods()[i%2], x, cam.Predicted)
			if err != nil {
				t.Error(err)
			}
			all <- r
		}()
	}
	maps := make(map[string][]float32)
	for range n {
		r := <-all
		if r == nil {
			t.FailNow()
		}
		if was := maps[r.Method]; was != nil && !slices.Equal(was, r.Maps) {
			t.Errorf("%s: maps %v and %v", r.Method, was, r.Maps)
		}
		maps[r.Method] = r.Maps
	}
}
