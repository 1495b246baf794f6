package cam_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

func TestErrors(t *testing.T) {
	x := picture(2, 4, 6)
	with := func(change func(x *images.Batch)) images.Batch {
		y := x
		y.Pixels = append([]float32(nil), x.Pixels...)
		change(&y)
		return y
	}
	tests := []struct {
		rule   string
		change func(n *toy)
		images images.Batch
		target cam.Target
		method string
		kind   error
		text   string
	}{
		{"no images", nil, images.Batch{}, cam.Predicted, "cam", cam.ErrNoImages, "cam: images: none, want at least one"},
		{"too few pixels", nil, with(func(x *images.Batch) { x.N = 3 }), cam.Predicted, "cam", cam.ErrShape, "cam: images: 144 values, want [3, 4, 6, 3]"},
		{"no height", nil, with(func(x *images.Batch) { x.Height = 0 }), cam.Predicted, "cam", cam.ErrShape, "cam: images: 144 values, want [2, 0, 6, 3]"},
		{"a size that the network refuses", nil, picture(1, 3, 4), cam.Predicted, "gradcam", cam.ErrShape, "the network takes none such: toy: odd size"},
		{"bytes for pixels", nil, with(func(x *images.Batch) { x.Pixels[80] = 255 }), cam.Predicted, "cam", cam.ErrRange, "cam: images: image 1: value 255, want 0 to 1 (divide bytes by 255)"},
		{"NaN for a pixel", nil, with(func(x *images.Batch) { x.Pixels[0] = float32(math.NaN()) }), cam.Predicted, "cam", cam.ErrRange, "cam: images: image 0: value NaN, want 0 to 1 (divide bytes by 255)"},
		{"class above the last", nil, x, cam.Classes(3, 4), "cam", cam.ErrClass, "cam: cam: class 4 for image 1, want 0 to 3"},
		{"negative class", nil, x, cam.Class(-1), "cam", cam.ErrClass, "cam: target: class -1 for image 0, want 0 or more"},
		{"class whose low 32 bits are one", nil, x, cam.Class(1<<32 + 1), "cam", cam.ErrClass, "cam: target: class 4294967297 for image 0, want 0 or more"},
		{"rival above the last", nil, x, cam.Contrast(1, 4), "cam", cam.ErrClass, "cam: cam: class 4 for image 0, want 0 to 3"},
		{"negative rival", nil, x, cam.Contrast(1, -1), "cam", cam.ErrClass, "cam: target: rival class -1 for image 0, want 0 or more"},
		{"rival of itself", nil, x, cam.Contrast(1, 1), "cam", cam.ErrTarget, "cam: target: contrast of class 1 with itself for image 0, want two classes"},
		{"unknown name", nil, x, cam.ClassNamed("eel"), "cam", cam.ErrClass, `cam: target: class "eel", want one of ant, bee, cow, doe`},
		{"fewer targets than images", nil, x, cam.Classes(1), "cam", cam.ErrTarget, "cam: target: 1 classes for 2 images, want one for each"},
		{"more targets than images", nil, x, cam.Classes(1, 2, 3), "cam", cam.ErrTarget, "cam: target: 3 classes for 2 images, want one for each"},
		{
			"infinite activations", func(n *toy) { n.features = func(a *Node) *Node { return MulScalar(MulScalar(a, 1e38), 1e38) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: infinite or NaN from deep on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			"infinite activations that the head hides", func(n *toy) {
				n.features = func(a *Node) *Node { return MulScalar(MulScalar(a, 1e38), 1e38) }
				n.head = func(y, _ *Node) *Node { return Where(IsFinite(y), y, ZerosLike(y)) }
			},
			x, cam.Predicted, "hirescam", cam.ErrNotFinite, "cam: hirescam: image 0: infinite or NaN from deep on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			"NaN scores", func(n *toy) { n.head = func(y, _ *Node) *Node { return Sqrt(AddScalar(Neg(Abs(y)), -1)) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: infinite or NaN from the head on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			// √(y−y) is 0, its gradient ∞·(1−1), which a careless ReLU would turn into 0
			"NaN gradient", func(n *toy) { n.head = func(y, a *Node) *Node { return Add(y, Sqrt(Sub(y, y))) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: the map is infinite or NaN, want finite values: the gradient or the weights overflow",
		},
		{
			"CAM of a head that is not linear", func(n *toy) { n.head = func(y, _ *Node) *Node { return Tanh(y) } },
			x, cam.Predicted, "cam", cam.ErrHead, "want a network that ends in global average pooling and a linear layer; gradcam takes any",
		},
		{
			"CAM of a head that pools otherwise", func(n *toy) { n.head = func(y, a *Node) *Node { return Add(y, InsertAxes(ReduceMax(a, 1, 2, 3), -1)) } },
			x, cam.Predicted, "cam", cam.ErrHead, "gradcam takes any",
		},
		{
			"CAM of a head that needs its grid", func(n *toy) { n.head = func(y, a *Node) *Node { a.AssertDims(-1, 2, 3, -1); return y } },
			x, cam.Predicted, "cam", cam.ErrHead, `does not pool its places: want a network that ends in global average pooling and a linear layer; gradcam takes any`,
		},
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				net := newToy()
				if test.change != nil {
					test.change(net)
				}
				e := explainer(t, b, net.Network, cam.Options{})
				targets := []cam.Target{test.target}
				if test.change != nil {
					targets = append(targets, cam.All)
				}
				for _, target := range targets {
					r, err := e.Explain(t.Context(), method(t, test.method), test.images, target)
					if r != nil || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) {
						t.Errorf("Explain = %v, error %v; want no result and an error of kind %q with text %q", r, err, test.kind, test.text)
					}
				}
			})
		}
	})
}

func TestUnknownMethod(t *testing.T) {
	for _, name := range []string{"Grad-CAM++", "gradcampp", "gradcam++"} {
		if m, err := cam.Lookup(name); err != nil || m != (cam.GradCAMPlusPlus{}) || cam.FileName(m.Spec().Name) != "gradcampp" {
			t.Errorf("%s: %v, error %v, want gradcam++", name, m, err)
		}
	}
	_, err := cam.Lookup("Lime")
	if want := `cam: method "Lime", want one of cam, gradcam, gradcam++, scorecam, ablationcam, xgradcam, hirescam, layercam, layercam-fused, eigencam, eigengradcam, ` +
		`smoothgradcam++, sscam, iscam, fullgrad, shapleycam, finercam, refinecam, randomcam, occlusion, rise, integratedgradients, smoothgrad`; !errors.Is(err, cam.ErrMethod) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q, and those that were added", err, want)
	}
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	for _, m := range []cam.Method{nil, (*equation)(nil), of(cam.Spec{}), of(cam.Spec{Name: "none"})} {
		if _, err := e.Explain(t.Context(), m, picture(1, 2, 2), cam.All); !errors.Is(err, cam.ErrMethod) {
			t.Errorf("%v: error %v, want of kind %q", m, err, cam.ErrMethod)
		}
	}
}

func TestMapOfAnotherClassPanics(t *testing.T) {
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	r := explain(t, e, method(t, "cam"), picture(1, 4, 6), cam.Class(2))
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, cam.ErrClass) {
			t.Errorf("panic %v, want an error of kind %q", err, cam.ErrClass)
		}
	}()
	r.Map(0, 1)
}

func TestNewFails(t *testing.T) {
	b, net := backendOf(t, pureGo), newToy().Network
	without := newToy().Network
	without.Head = nil
	for _, test := range []struct {
		rule string
		b    compute.Backend
		net  *network.Network
		opts cam.Options
		want string
	}{
		{"no backend", nil, net, cam.Options{}, "cam: new: no backend, want one"},
		{"no network", b, nil, cam.Options{}, "cam: new: network: none, want one"},
		{"no head", b, without, cam.Options{}, "cam: new: network: toy: no head, want a function from activations to scores"},
		{"negative batch", b, net, cam.Options{Batch: -1}, "cam: new: batch of -1, want 0 or more"},
		{"negative chunk", b, net, cam.Options{Chunk: -2}, "cam: new: chunk of -2, want 0 or more"},
		{"half precision of another kind", b, net, cam.Options{Type: dtypes.Float16}, "cam: new: type Float16, want Float32 or BFloat16"},
	} {
		if _, err := cam.New(test.b, test.net, test.opts); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %q", test.rule, err, test.want)
		}
	}
}
