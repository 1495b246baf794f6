package cam_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"testing"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
)

// fixture is what testdata/peers/record.py wrote: maps that other libraries made of
// small networks, the networks' weights and the images.
type fixture struct {
	Versions map[string]string
	Classes  []int
	Faults   struct {
		IndexErrorSwallowed bool `json:"pgc_index_error_swallowed"`
		TrainingAfter       bool `json:"pgc_training_after"`
		GradientKept        bool `json:"pgc_gradient_of_7_kept"`
	}
	Arrays map[string]struct{ Shape []int }
	values map[string][]float32
}

var readPeers = sync.OnceValues(func() (*fixture, error) {
	data, err := os.ReadFile("testdata/peers/manifest.json")
	if err != nil {
		return nil, err
	}
	p := &fixture{values: make(map[string][]float32)}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, err
	}
	r, err := npz.Open("testdata/peers/peers.npz")
	if err != nil {
		return nil, err
	}
	for name := range p.Arrays {
		var v []float32
		if err := r.Read(name+".npy", &v); err != nil {
			return nil, err
		}
		p.values[name] = v
	}
	return p, r.Close()
})

func peers(tb testing.TB) *fixture {
	tb.Helper()
	p, err := readPeers()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// networks are the fixture's, of which the last two are others' explained elsewhere:
// signed is linear before the second ReLU, flat/first is flat after the first.
var networks = []string{"linear", "relu", "tanh", "flat", "signed", "flat/first"}

// peerNet is record.py's Net.
type peerNet struct {
	*network.Network
	head    string
	explain string // second, before (its ReLU) or first

	mu      sync.Mutex
	batches []int // sizes of the batches of images that it was built for
}

// parity is a method of ours and what a peer makes in its stead.
type parity struct {
	method    cam.Method
	theirs    string                        // the peer and its method
	networks  []string                      // nil for all that have it
	target    func(t cam.Target) cam.Target // nil for the score of the class
	tolerance float64                       // of the largest value of a map; 0 is rounding
	why       string                        // of another tolerance
}

// rounding is what float32 may differ from float64, relative to a map's largest value.
// A ReLU can leave a thirtieth of the sums that it is given: 6e-6 then, else below 4e-6.
const rounding = 2e-5

// probabilityOf is the target whose score is the class's probability.
func probabilityOf(t cam.Target) cam.Target { return t.Probability() }

// parities are where the peers do what the papers say. Their maps are before their
// ReLU (pgc), after it (tc) or without one (captum); a method of ours with a ReLU is
// compared with the positive part.
func parities(tb testing.TB) []parity {
	of := func(name string) cam.Method { return method(tb, name) }
	return []parity{
		{method: of("cam"), theirs: "tc.cam", networks: []string{"linear"}},
		{method: of("gradcam"), theirs: "pgc.gradcam"},
		{method: of("gradcam"), theirs: "tc.gradcam"},
		{
			method: of("gradcam"), theirs: "pgc.gradcam.probability", target: probabilityOf, tolerance: 1e-4,
			why: "P_c − P_c² and its like are differences of small numbers, and XLA's tanh is coarse",
		},
		{method: signedGradCAM, theirs: "captum.gradcam"},
		{method: signedGradCAM, theirs: "pgc.gradcam"},
		{method: of("hirescam"), theirs: "pgc.hirescam"},
		{method: of("xgradcam"), theirs: "pgc.xgradcam"},
		{method: of("xgradcam"), theirs: "tc.xgradcam"},
		{method: of("layercam"), theirs: "pgc.layercam"},
		{method: of("layercam"), theirs: "tc.layercam"},
		{
			method: of("ablationcam"), theirs: "pgc.ablationcam", tolerance: 5e-5,
			why: "its weights are differences of nearly equal scores",
		},
		{
			method: of("gradcam++"), theirs: "pgc.gradcam++", networks: []string{"flat", "flat/first"}, tolerance: 1e-3,
			why: "where gradients are large its 1e-6 does little; see TestGradCAMPlusPlusOfThePeers",
		},
		{
			method: of("scorecam"), theirs: "pgc.scorecam", tolerance: 0.05,
			why: "its masks are enlarged with their corners aligned; see TestScoreCAMOfThePeers",
		},
		{
			method: of("scorecam"), theirs: "tc.scorecam", tolerance: 0.05,
			why: "its masks are brought to 0 to 1 before they are enlarged; see TestScoreCAMOfThePeers",
		},
	}
}

// TestPeers compares our maps with those of pytorch-grad-cam (pgc), torchcam (tc) and
// captum, each from its own run; see testdata/peers.
func TestPeers(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		p := peers(t)
		x := p.images(t)
		for _, name := range networks {
			switch {
			case isPureGo(b) && name == "flat/first":
				continue // it has no gradient of a convolution
			case !isPureGo(b) && name != "flat/first" && name != "tanh":
				continue // the backends agree, see TestBackendsAgree; XLA's tanh is another
			}
			t.Run(name, func(t *testing.T) {
				e := explainer(t, b, newPeerNet(t, name).Network, cam.Options{})
				if scores, ok := p.values[name+"/scores"]; ok {
					near(t, "scores", explain(t, e, method(t, "gradcam"), x, p.target()).Scores, scores, rounding)
				}
				for _, row := range parities(t) {
					theirs := name + "/" + row.theirs
					if _, ok := p.values[theirs]; !ok || row.networks != nil && !slices.Contains(row.networks, name) {
						continue
					}
					target := p.target()
					if row.target != nil {
						target = row.target(target)
					}
					worst, tolerance := 0.0, row.tolerance
					if tolerance == 0 {
						tolerance = rounding
					}
					ours := explain(t, e, row.method, x, target)
					each(t, p, ours, theirs, func(i int, ours, theirs []float32) {
						if !row.method.Spec().Signed {
							theirs = positivePart(theirs)
						}
						worst = max(worst, distance(t, ours, theirs))
					})
					if !(worst <= tolerance) {
						t.Errorf("%s: off from %s by %.2g of the largest value, want at most %.0g", row.method.Spec().Name, row.theirs, worst, tolerance)
					}
					t.Logf("%-15s %-25s %.1e", row.method.Spec().Name, row.theirs, worst)
				}
			})
		}
	})
}

func positivePart(m []float32) []float32 {
	m = slices.Clone(m)
	for i := range m {
		m[i] = max(m[i], 0)
	}
	return m
}

// shown is a map as the peers color it, brought to 0 to 1.
func shown(m []float32) []float64 {
	low, high := float64(slices.Min(m)), float64(slices.Max(m))
	s := make([]float64, len(m))
	for i, v := range m {
		s[i] = (float64(v) - low) / max(high-low, 1e-30)
	}
	return s
}

// weightedBy is Σ_k w_k A_k, with weights [batch, channels].
func weightedBy(p *cam.Pass, weights *Node) *Node { return Einsum("bhwk,bk->bhw", p.Act, weights) }

// plusPlus is Grad-CAM++ with a denominator of the caller's.
func plusPlus(p *cam.Pass, denominator func(g2, g3 *Node) *Node, weights func(alpha *Node) *Node) *Node {
	g := p.Grad()
	g2 := Mul(g, g)
	alpha := Div(g2, denominator(g2, Mul(g2, g)))
	alpha = Where(Equal(g, ZerosLike(g)), ZerosLike(g), alpha)
	return weightedBy(p, weights(Mul(alpha, rectify(g))))
}

// TestGradCAMPlusPlusOfThePeers is what other libraries make of equation 19. A wrong
// formula is shown to be the peer's by its own map, where there is one, and to be
// wrong by how far what it shows is from what the equation does.
func TestGradCAMPlusPlusOfThePeers(t *testing.T) {
	sum := func(alpha *Node) *Node { return ReduceSum(alpha, 1, 2) }
	for _, test := range []struct {
		rule    string
		network string
		theirs  string // the recorded map; "" if there is none
		wrong   func(p *cam.Pass) *Node
		least   float64 // that the maps differ by, each brought to 0 to 1
	}{
		{
			"torchcam 0.5.0 divides a copy, so that g² stays undivided", "linear", "tc.gradcam++",
			func(p *cam.Pass) *Node {
				return plusPlus(p, func(g2, _ *Node) *Node { return OnesLike(g2) }, sum)
			}, 0.3,
		},
		{
			"the same where gradients vary", "flat", "tc.gradcam++",
			func(p *cam.Pass) *Node {
				return plusPlus(p, func(g2, _ *Node) *Node { return OnesLike(g2) }, sum)
			}, 0.1,
		},
		{
			"pytorch-grad-cam 1.5.7 adds 1e-6, as large as g² on a pooled head", "tanh", "pgc.gradcam++",
			func(p *cam.Pass) *Node {
				all := ReduceAndKeep(p.Act, ReduceSum, 1, 2)
				return plusPlus(p, func(g2, g3 *Node) *Node { return AddScalar(Add(MulScalar(g2, 2), Mul(g3, all)), 1e-6) }, sum)
			}, 0.02,
		},
		{
			"xplique has means where the equation has sums", "linear", "",
			func(p *cam.Pass) *Node {
				mean := ReduceAndKeep(p.Act, ReduceMean, 1, 2)
				return plusPlus(p, func(g2, g3 *Node) *Node { return Add(MulScalar(g2, 2), Mul(g3, mean)) }, func(alpha *Node) *Node { return ReduceMean(alpha, 1, 2) })
			}, 0.02,
		},
	} {
		t.Run(test.rule, func(t *testing.T) {
			p := peers(t)
			e := explainer(t, backendOf(t, pureGo), newPeerNet(t, test.network).Network, cam.Options{})
			x := p.images(t)
			ours := explain(t, e, method(t, "gradcam++"), x, p.target())
			wrong := explain(t, e, of(cam.Spec{Name: "wrong", Map: test.wrong}), x, p.target())
			if test.theirs != "" {
				each(t, p, wrong, test.network+"/"+test.theirs, func(i int, wrong, theirs []float32) {
					near(t, fmt.Sprintf("image %d: the wrong formula", i), positivePart(wrong), positivePart(theirs), 1e-4) // 1e-6 is small beside 1 in float32
				})
			}
			most := 0.0
			for i, c := range p.Classes {
				a, b := shown(ours.Map(i, c).Values), shown(positivePart(wrong.Map(i, c).Values))
				for j := range a {
					most = max(most, math.Abs(a[j]-b[j]))
				}
			}
			t.Logf("shown maps differ by up to %.3f", most)
			if most < test.least {
				t.Errorf("ours shows the same within %.3g, want a difference of %.3g or more", most, test.least)
			}
			right := explain(t, e, of(cam.Spec{Name: "right", Map: func(p *cam.Pass) *Node {
				all := ReduceAndKeep(p.Act, ReduceSum, 1, 2)
				return rectify(plusPlus(p, func(g2, g3 *Node) *Node { return Add(MulScalar(g2, 2), Mul(g3, all)) }, sum))
			}}), x, p.target())
			for i, c := range p.Classes {
				near(t, fmt.Sprintf("image %d: equation 19", i), ours.Map(i, c).Values, right.Map(i, c).Values, rounding)
			}
		})
	}
}
