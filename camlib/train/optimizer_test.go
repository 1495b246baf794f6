package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// updated runs three updates of a network's one weight, w = [1, −2], and returns it after
// each, and the average at the end.
func updated(t *testing.T, b compute.Backend, u update, rate float64) (after [][]float32, mean []float32) {
	t.Helper()
	net := &network.Network{Name: "w", Store: model.NewStore()}
	w := net.Store.VariableWithValue("layer/w", []float32{1, -2})
	if err := makeKept(net.Store, parameters(net, u)); err != nil {
		t.Fatal(err)
	}
	step, err := model.NewExec(b, net.Store, func(_ *model.Scope, in []*Node) *Node {
		return committer(net, in[0].Graph())(ScalarOne(in[0].Graph(), in[0].DType()), map[string]*Node{w.Path(): in[0]}, in[1], u)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, grad := range [][]float32{{0.5, -1}, {0.25, 2}, {-1, 0}} {
		if _, err := step.Call(grad, nowTensor(rate, int64(i+1))); err != nil {
			t.Fatal(err)
		}
		after = append(after, tensors.MustCopyFlatData[float32](w.MustValue()))
	}
	if a := net.Store.GetVariable(kept(average, w.Path())); a != nil {
		mean = tensors.MustCopyFlatData[float32](a.MustValue())
	}
	return after, mean
}

// TestUpdatesArePyTorchs: the numbers are those of PyTorch 2.15: SGD(lr=0.1, momentum=0.9,
// nesterov=True), AdamW(lr=0.1, weight_decay=0.01, eps=1e-7), and Adam of the same.
func TestUpdatesArePyTorchs(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for name, row := range map[string]struct {
			u    update
			want [][]float32
		}{
			"sgd":   {update{optimizer: SGD, momentum: 0.9}, [][]float32{{0.90499997, -1.81}, {0.81699997, -2.109}, {0.95029998, -2.19809985}}},
			"adamw": {update{optimizer: AdamW, weightDecay: 0.01}, [][]float32{{0.89900005, -1.898}, {0.80488306, -1.93271244}, {0.82471389, -1.95907962}}},
		} {
			got, _ := updated(t, b, row.u, 0.1)
			for i := range got {
				backendtest.Near(t, name, got[i], row.want[i], 1e-6)
			}
		}
	})
}

// TestRatesAndDecay: a rate multiplies what the gradient does to a weight, but not its decay,
// and that of the longest end of its path.
func TestRatesAndDecay(t *testing.T) {
	b := backendtest.Go(t)
	u := update{optimizer: SGD, weightDecay: 0.5, rates: map[string]float64{"w": 7, "layer/w": 3}}
	got, _ := updated(t, b, u, 0.1)
	// 1 − 0.1·3·0.5 − 0.1·0.5·1 and −2 + 0.1·3·1 + 0.1·0.5·2
	backendtest.Near(t, "rate and decay", got[0], []float32{0.8, -1.6}, 1e-6)

	net := tiny(1)
	if err := checkRates(map[string]float64{"biases": 64, "dense/weights": 0.1}, net); err != nil {
		t.Error(err)
	}
	for _, end := range []string{"bias", "iases", "conv9/weights"} {
		if err := checkRates(map[string]float64{end: 1}, net); err == nil || !strings.HasPrefix(err.Error(), `train: rate of "`+end+`", which is the end of no weight of tiny, want that of one of /conv1/weights`) {
			t.Errorf("%s: error %v, want one that names the weights", end, err)
		}
	}
}

// TestAverage: the average begins as the weights, and a step t takes 9/(t + 9) of the weights
// after it, until that is 1 − d.
func TestAverage(t *testing.T) {
	after, mean := updated(t, backendtest.Go(t), update{optimizer: SGD, average: 0.15}, 0.1)
	want := []float64{1, -2}
	for i := range after {
		d := min(0.15, float64(i+1)/float64(i+10))
		for k := range want {
			want[k] = d*want[k] + (1-d)*float64(after[i][k])
		}
	}
	backendtest.Near(t, "average", mean, []float32{float32(want[0]), float32(want[1])}, 1e-6)
}

// TestSchedules: those of PyTorch 2.15, of OneCycleLR(max_lr=1, total_steps=11, pct_start=0.3)
// and CosineAnnealingLR(T_max=8), and lines.
func TestSchedules(t *testing.T) {
	for _, row := range []struct {
		s      Schedule
		warmup float64
		want   []float64
	}{
		{OneCycle, 0.3, []float64{0.04, 0.4223411137, 0.9602614247, 0.9797465678, 0.8844757248, 0.7260870492, 0.5305827081, 0.330058029, 0.1574325128, 0.0410455432, 4e-6}},
		{Cosine, 0, []float64{1, 0.9619397663, 0.8535533906, 0.6913417162, 0.5, 0.3086582838, 0.1464466094, 0.0380602337}},
		{Cosine, 0.5, []float64{0.5, 1, 1, 0.5}},
		{Triangular, 0.5, []float64{0.2, 0.6, 1, 0.5}},
		{Constant, 0, []float64{1, 1, 1}},
		{Constant, 0.5, []float64{0.5, 1, 1, 1}},
	} {
		var got []float64
		for i := range row.want {
			got = append(got, row.s.Factor(int64(i), int64(len(row.want)), row.warmup))
		}
		if !slices.EqualFunc(got, row.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%s with warmup %v: %v, want %v", row.s, row.warmup, got, row.want)
		}
	}
	for _, s := range []Schedule{Constant, Cosine, OneCycle, Triangular} {
		for _, steps := range []int64{1, 2, 3, 1000} {
			for step := range steps {
				if f := s.Factor(step, steps, s.warmup()); !(f >= 0 && f <= 1) {
					t.Errorf("%s, step %d of %d: %v, want 0 to 1", s, step, steps, f)
				}
			}
		}
	}
}
