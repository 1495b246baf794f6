package atlas_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/atlas"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
)

// TestFile holds a written atlas to what is read again, and a broken file to an
// error that names it.
func TestFile(t *testing.T) {
	a, path := makeAtlas(t, five()), filepath.Join(t.TempDir(), "atlas")
	if err := a.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	b, err := atlas.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("read %+v, want %+v", b, a)
	}
	if err := os.WriteFile(path, []byte("no atlas"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := atlas.ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("broken file: %v, want an error that names it", err)
	}
	if _, err := atlas.ReadFile(path + "s"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v, want os.ErrNotExist", err)
	}
	if err := a.WriteFile(filepath.Join(path, "below", "a file")); err == nil {
		t.Error("written below a file, want an error")
	}
}

func TestErrors(t *testing.T) {
	bent, huge := newQuarters(true), newQuarters(false)
	if err := huge.Store.GetVariable("w").SetValue(tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{float32(math.Inf(1))}, 9), 3, 3)); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		net  *network.Network
		ds   *cifar10.Dataset
		is   error
		want string
	}{
		{"no images", t.Context(), newQuarters(false), &cifar10.Dataset{}, nil, "atlas: images: data set without images, want at least one"},
		{"label beyond the classes", t.Context(), newQuarters(false), paint([]uint8{0, 3}, [4]int{}, [4]int{}), nil, "atlas: image 1: label 3, want 0 to 2 as in the network"},
		{"another head", t.Context(), bent, five(), cam.ErrHead, "atlas: cam: "},
		{"overflow", t.Context(), huge, five(), cam.ErrNotFinite, "atlas: cam: cam: image 0: infinite or NaN from the head on, want finite numbers"},
		{"stopped", done, newQuarters(false), five(), context.Canceled, "atlas: stopped after 0 of 5 images: context canceled"},
	} {
		a, err := atlas.New(test.ctx, explainer(t, test.net), test.ds)
		if err == nil || a != nil || !strings.HasPrefix(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// countdown is a context that is done after some looks at it.
type countdown struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *countdown) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestStopsBetweenBatches cancels a pass of three batches at each look, and wants
// it to end with the context's error every time, until it runs through.
func TestStopsBetweenBatches(t *testing.T) {
	ds, e := paint(make([]uint8, 230), make([][4]int, 230)...), explainer(t, newQuarters(false))
	for looks := 0; ; looks++ {
		a, err := atlas.New(&countdown{Context: t.Context(), left: looks}, e, ds)
		if err == nil {
			if looks < 3 || len(a.Predicted) != 230 {
				t.Errorf("%d images after %d looks at the context, want at least one look for each of 3 batches", len(a.Predicted), looks)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "atlas: ") {
			t.Fatalf("stopped at look %d: %v, want the context's error", looks, err)
		}
	}
}

// TestConcurrent makes and reads atlases from many goroutines, for the race
// detector, and wants them equal.
func TestConcurrent(t *testing.T) {
	e, ds := explainer(t, newQuarters(false)), five()
	want := makeAtlas(t, ds)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			a, err := atlas.New(t.Context(), e, ds)
			if err != nil || !reflect.DeepEqual(a, want) {
				t.Errorf("%v: %+v, want %+v", err, a, want)
			}
			want.Labeled(1).Contrast(0, 1)
			want.Images(1, 0)
			want.ByConcentration(0)
		})
	}
	group.Wait()
}
