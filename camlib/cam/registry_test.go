package cam_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// powerCAM is a method from outside, with a parameter and made of the public toolbox alone:
// Σ_k w_k A_kᵖ for the part of the score that each channel's mask leaves.
type powerCAM struct{ Power float64 }

func (m powerCAM) Spec() cam.Spec {
	return cam.Spec{
		Name: "Power-CAM", Unit: "activation", Signed: true,
		Map: func(p *cam.Pass) *Node {
			p.Need(p.Perturbed)
			p.Mark(cam.NegativeScore, LessThan(p.Score(), ZerosLike(p.Score())))
			return cam.WeightedSum(PowScalar(cam.Positive(p.Act), m.Power), p.Value(p.Perturbed))
		},
		Perturbations: &cam.Perturbations{
			Count: (*cam.Pass).Channels,
			Scores: func(p *cam.Pass, which *Node) *Node {
				return cam.OfEach(p.Mask(p.Masks(which, 0)), p.Network)
			},
		},
	}
}

// TestMethodFromOutside is a method that is registered: known to all, for every target,
// and with a graph for each value of its parameter.
func TestMethodFromOutside(t *testing.T) {
	if err := cam.Register(powerCAM{1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cam.Unregister(powerCAM{1}) })
	if m := method(t, "powercam"); m != (powerCAM{1}) || !slices.Contains(cam.Methods(), m) {
		t.Errorf("Lookup: %v, want the method that was registered, and it in Methods", m)
	}
	e, x := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{Batch: 2}), picture(3, 4, 6)
	every := explain(t, e, powerCAM{1}, x, cam.All)
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	z := maps.Height * maps.Width
	for i := range x.N {
		weights := make([]float64, toyChannels) // of class 2
		for k := range weights {
			weights[k] = maskedScore(t, e, maps, x, i, k, 2)
		}
		for power, r := range map[float64]*cam.Result{1: every, 2: explain(t, e, powerCAM{2}, x, cam.All)} {
			want := make([]float64, z)
			for k, w := range weights {
				for j, a := range maps.Act[(i*toyChannels+k)*z:][:z] {
					want[j] += w * math.Pow(float64(a), power)
				}
			}
			near(t, "of all", r.Map(i, 2).Values, want, 1e-4)
		}
	}
	top, contrast := explain(t, e, powerCAM{1}, x, cam.Top(2)), explain(t, e, powerCAM{1}, x, cam.Contrast(2, 0))
	for i := range x.N {
		for _, c := range top.ClassesOf(i) {
			near(t, "of the top two", top.Map(i, c).Values, every.Map(i, c).Values, 1e-6)
		}
		want := slices.Clone(every.Map(i, 2).Values)
		for j, v := range every.Map(i, 0).Values {
			want[j] -= v
		}
		near(t, "contrast", contrast.Map(i, 2).Values, want, 1e-4)
	}
}

// maskedScore is a class's score of image i under the mask of channel k.
func maskedScore(t *testing.T, e *cam.Explainer, maps *cam.ClassMaps, x images.Batch, i, k, class int) float64 {
	t.Helper()
	z := maps.Height * maps.Width
	m, err := images.Map{H: maps.Height, W: maps.Width, Values: maps.Act[(i*maps.Channels+k)*z:][:z]}.Resize(x.Height, x.Width, images.HalfPixel)
	if err != nil {
		t.Fatal(err)
	}
	masked := x.Part(i, i+1)
	masked.Pixels = slices.Clone(masked.Pixels)
	for p := range masked.Pixels {
		share := float32(0)
		if m.Max() > m.Min() {
			share = (m.Values[p/x.Channels] - m.Min()) / (m.Max() - m.Min())
		}
		masked.Pixels[p] *= share
	}
	return float64(explain(t, e, cam.CAM{}, masked, cam.Class(class)).Score[0])
}

// listed is a method whose values cannot be compared.
type listed struct{ _ []int }

func (listed) Spec() cam.Spec { return cam.EigenCAM{}.Spec() }

// named is a method by another name.
type named struct{ name string }

func (m named) Spec() cam.Spec {
	s := cam.EigenCAM{}.Spec()
	s.Name = m.name
	return s
}

func TestRegisterErrors(t *testing.T) {
	for rule, row := range map[string]struct {
		m    cam.Method
		want string
	}{
		"nothing":         {nil, "cam: no method, want one of Methods()"},
		"a nil pointer":   {(*equation)(nil), "cam: no method, want one of Methods()"},
		"no name":         {named{""}, `cam: a method of type cam_test.named has the name "", want one with a letter or digit`},
		"only dashes":     {named{"--"}, `cam: a method of type cam_test.named has the name "--", want one with a letter or digit`},
		"no map":          {of(cam.Spec{Name: "mapless"}), `cam: method "mapless" has no Map, want its equation`},
		"a slice":         {listed{}, "cam: eigencam: values of type cam_test.listed cannot be compared, want one without slices, maps, functions and NaN, or a pointer: compiled graphs are kept by it"},
		"NaN":             {powerCAM{math.NaN()}, "cam: Power-CAM: values of type cam_test.powerCAM cannot be compared"},
		"the same name":   {named{"Grad-CAM++"}, `cam: register: method "Grad-CAM++": there is "gradcam++", want another name`},
		"wrong parameter": {cam.RISE{Masks: -1}, "cam: rise: -1 masks, want 1 or more, or 0 for the method's own number"},
	} {
		before := len(cam.Methods())
		err := cam.Register(row.m)
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || rule != "wrong parameter" && !errors.Is(err, cam.ErrMethod) {
			t.Errorf("%s: error %v, want %q", rule, err, row.want)
		}
		if len(cam.Methods()) != before {
			t.Errorf("%s: registered all the same", rule)
		}
	}
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	for _, m := range []cam.Method{listed{}, powerCAM{math.NaN()}, cam.Smoothed{Method: listed{}, Flips: true}} {
		if _, err := e.Explain(t.Context(), m, picture(1, 4, 6), cam.Predicted); !errors.Is(err, cam.ErrMethod) {
			t.Errorf("%T: error %v, want of kind %q", m, err, cam.ErrMethod)
		}
	}
}

func TestFileName(t *testing.T) {
	if got := cam.FileName("_AZ az-09+é/"); got != "azaz09p" {
		t.Errorf("FileName: %q, want letters and digits, and p for a plus", got)
	}
}

// TestParameters is what WithChannels and WithSamples set, and how a method says it.
func TestParameters(t *testing.T) {
	for _, row := range []struct {
		m, channels, samples cam.Method
		setting              string // of 3 channels and 5 samples
	}{
		{cam.GradCAM{}, cam.GradCAM{}, cam.GradCAM{}, ""},
		{cam.ScoreCAM{}, cam.ScoreCAM{Channels: 3}, cam.ScoreCAM{}, "3 channels"},
		{cam.SSCAM{}, cam.SSCAM{Channels: 3}, cam.SSCAM{Samples: 5}, "3 channels, 5 noises"},
		{cam.ISCAM{}, cam.ISCAM{Channels: 3}, cam.ISCAM{Steps: 5}, "3 channels, 5 steps"},
		{cam.RISE{}, cam.RISE{}, cam.RISE{Masks: 5}, "5 masks"},
		{cam.IntegratedGradients{}, cam.IntegratedGradients{}, cam.IntegratedGradients{Steps: 5}, "5 steps"},
		{cam.SmoothGrad{}, cam.SmoothGrad{}, cam.SmoothGrad{Samples: 5}, "5 noises"},
		{cam.SmoothGradCAMPlusPlus{}, cam.SmoothGradCAMPlusPlus{}, cam.SmoothGradCAMPlusPlus{Samples: 5}, "5 noises"},
	} {
		if c, s := cam.WithChannels(row.m, 3), cam.WithSamples(row.m, 5); c != row.channels || s != row.samples {
			t.Errorf("%T: %v and %v, want %v and %v", row.m, c, s, row.channels, row.samples)
		}
		both := cam.WithChannels(cam.WithSamples(row.m, 5), 3)
		if own, got := row.m.Spec().Setting, both.Spec().Setting; own != "" || got != row.setting {
			t.Errorf("%T: settings %q and %q, want none and %q", row.m, own, got, row.setting)
		}
		if both.Spec().Name != row.m.Spec().Name {
			t.Errorf("%T: the name changes with the parameters", row.m)
		}
		smoothed := cam.WithChannels(cam.WithSamples(cam.Smoothed{Method: row.m, Flips: true}, 5), 3).Spec().Setting
		if want := strings.TrimPrefix(row.setting+", flips", ", "); smoothed != want {
			t.Errorf("%T smoothed: setting %q, want %q", row.m, smoothed, want)
		}
	}
	if s := (cam.RISE{Masks: 256}).Spec().Setting; s != "" {
		t.Errorf("RISE's own number: setting %q, want none", s)
	}
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	for _, m := range []cam.Method{cam.ScoreCAM{Channels: -1}, cam.SSCAM{Samples: -1}, cam.SmoothGrad{Samples: -3}, cam.Smoothed{}, cam.Smoothed{Method: cam.RISE{Masks: -1}}} {
		if _, err := e.Explain(t.Context(), m, picture(1, 4, 6), cam.Predicted); err == nil || !strings.HasPrefix(err.Error(), "cam: ") {
			t.Errorf("%#v: error %v, want one", m, err)
		}
	}
}

// TestSmoothedOfAnyMethod is the average of a method that is not registered, which shares
// the graphs of the method itself.
func TestSmoothedOfAnyMethod(t *testing.T) {
	net := newToy()
	e, x := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{General: true}), picture(2, 4, 6)
	plain := explain(t, e, signedGradCAM, x, cam.Class(1))
	built := net.built.Load()
	r := explain(t, e, cam.Smoothed{Method: signedGradCAM, Scales: []float64{1}}, x, cam.Class(1))
	near(t, "of one copy", r.Maps, plain.Maps, 0)
	if n := net.built.Load(); n != built {
		t.Errorf("the network was built %d times more, want none", n-built)
	}
}
