package camlib_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestSurest holds the images to those that a pass over the sample finds.
func TestSurest(t *testing.T) {
	m, sample := model(t), cifar10.Sample()
	got, err := m.Surest(t.Context(), sample)
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(sample, 0, sample.Len())
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Explainer.Explain(t.Context(), cam.CAM{}, x, cam.Predicted)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Repeat([]int{-1}, 10)
	for i, c := range r.Predicted {
		if c == sample.Label(i) && (want[c] < 0 || r.Score[i] > r.Score[want[c]]) {
			want[c] = i
		}
	}
	if !slices.Equal(got, want) || slices.Min(got) < 0 {
		t.Errorf("surest %v, want %v", got, want)
	}
	two, err := sample.Select(1, 811) // a ship, and a cat that is taken for a dog
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Repeat([]int{-1}, 10)
	want[8] = 0
	if got, err := m.Surest(t.Context(), two); err != nil || !slices.Equal(got, want) {
		t.Errorf("of a ship and a cat that is taken for a dog: %v, %v, want %v", got, err, want)
	}
	if _, err := m.Surest(t.Context(), two.First(0)); err == nil {
		t.Error("of no images: no error")
	}
	if _, err := (*camlib.Model)(nil).Surest(t.Context(), sample); err == nil || err.Error() != "camlib: surest: no model, want one of New or Article" {
		t.Errorf("no model: %v", err)
	}
}

// TestLoad loads weights into a network whose layers have not made their variables yet.
func TestLoad(t *testing.T) {
	plain := func() *network.Network {
		return &network.Network{
			Name: "plain", Store: gomlx.NewStore(), Classes: []string{"a", "b"},
			Input: network.Input{Size: images.Size{Height: 32, Width: 32, Channels: 3}},
			Layers: []network.Layer{{Name: "conv", Build: func(scope *gomlx.Scope, x *graph.Node) *graph.Node {
				return layers.Convolution(scope.At("conv"), x).Channels(2).KernelSize(3).PadSame().Done()
			}}},
			Head: func(_ *gomlx.Scope, act *graph.Node) *graph.Node { return graph.ReduceMean(act, 1, 2) },
		}
	}
	dir, sample, net := t.TempDir(), cifar10.Sample(), plain()
	two := make([]int, sample.Len())
	pixels, err := images.Pixels(sample)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := images.NewMemory(sample.Size(), net.Classes, pixels, two)
	if err != nil {
		t.Fatal(err)
	}
	few, err := images.Subset(ds, 0, 1, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Train(t.Context(), backendtest.XLA(t), net, few, few, train.Config{Epochs: 1, Augment: train.None, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	m, err := camlib.Load(plain(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Explain("gradcam", "a", sample.Image(0))
	if err != nil {
		t.Fatal(err)
	}
	trained, err := camlib.New(net, backendtest.XLA(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := trained.Explain("gradcam", "a", sample.Image(0))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Scores, want.Scores) || got.Scores[0] == 0 {
		t.Errorf("scores %v, want those of the trained network, %v", got.Scores, want.Scores)
	}
	if _, err := camlib.Load(nil, dir); err == nil || err.Error() != "camlib: load: no network, want the one whose weights these are" {
		t.Errorf("no network: error %v", err)
	}
	for what, test := range map[string]struct {
		net  *network.Network
		path string
		want string
	}{
		"no folder":            {plain(), filepath.Join(dir, "none"), "network: load: "},
		"another network":      {article.New(0), dir, "another architecture"},
		"a network of no size": {&network.Network{Name: "sizeless", Store: gomlx.NewStore()}, dir, "want a size"},
	} {
		if _, err := camlib.Load(test.net, test.path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", what, err, test.want)
		}
	}
}

func TestCaption(t *testing.T) {
	m, img := model(t), cifar10.Sample().Image(5)
	one, err := m.Explain("cam", "frog", img)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := one.Caption(0), "frog, p = 0.896"; got != want {
		t.Errorf("caption %q, want %q", got, want)
	}
	two, err := m.Explain("cam", "top 2", img)
	if err != nil {
		t.Fatal(err)
	}
	if got := two.Caption(1); two.Caption(0) != "frog, p = 0.896" || got == two.Caption(0) || got == "" {
		t.Errorf("captions %q and %q of the top two", two.Caption(0), got)
	}
	for _, got := range []string{one.Caption(1), one.Caption(-1), (*camlib.Maps)(nil).Caption(0)} {
		if got != "" {
			t.Errorf("caption %q of a map that is not there", got)
		}
	}
}

// TestUntrained is that a network without weights explains nothing, rather than by weights
// that are drawn for it.
func TestUntrained(t *testing.T) {
	net := &network.Network{
		Name: "small", Store: gomlx.NewStore(),
		Layers: []network.Layer{{Name: "conv", Build: func(scope *gomlx.Scope, x *graph.Node) *graph.Node {
			return layers.Convolution(scope.At("conv"), x).Channels(2).KernelSize(3).PadSame().Done()
		}}},
		Head: func(_ *gomlx.Scope, act *graph.Node) *graph.Node { return graph.ReduceMean(act, 1, 2) },
	}
	m, err := camlib.New(net, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Explain("gradcam", "0", cifar10.Sample().Image(0))
	if err == nil || !strings.Contains(err.Error(), "has no value, want a network that was trained or whose weights were loaded") {
		t.Errorf("error %v, want that its weights have no values", err)
	}
	e, err := train.NewEvaluator(m.Backend, net)
	if err == nil {
		_, err = e.Evaluate(t.Context(), cifar10.Sample().First(2))
	}
	if err == nil || !strings.Contains(err.Error(), "has no value") {
		t.Errorf("evaluated: error %v, want that its weights have no values", err)
	}
}
