package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
)

// TestStepsAreThePlainStep protects the gradients of the step in chunks, whose batch of
// 37 images is two, of 19 and 18.
// After one step Adam's first moment is a tenth of the gradient, so the
// moments show it in its size too, which Adam's update divides out. Then the
// losses of more steps have to agree, which shows that the weights do.
func TestStepsAreThePlainStep(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		const n = 37
		pixels, labels, err := data(few(t, 2*n))
		if err != nil {
			t.Fatal(err)
		}
		order := Article.epochPicks(2*n, small, margin, 5, 0)
		moments := make(map[StepKind]map[string][]float32)
		losses := make(map[StepKind][]float32)
		for kind, prepare := range steps {
			net := tiny(1)
			withAdam(t, net)
			step, err := prepare(b, net, Config{Optimizer: Adam, Augment: Article}, 10)
			if err != nil {
				t.Fatal(err)
			}
			moments[kind] = make(map[string][]float32)
			for k := range 6 {
				got, err := step(pixels, labels, order[4*n*k:4*n*(k+1)], 1e-3, int64(k+1))
				if err != nil {
					t.Fatal(err)
				}
				losses[kind] = append(losses[kind], float32(got.loss))
				for v := range net.Store.IterVariables() {
					if k == 0 && strings.HasPrefix(v.Path(), "/optimizers/first/") {
						moments[kind][v.Path()] = tensors.MustCopyFlatData[float32](v.MustValue())
					}
				}
			}
		}
		if len(moments[Plain]) != 6 {
			t.Fatalf("%d moments, want those of 6 weights and biases", len(moments[Plain]))
		}
		for name, want := range moments[Plain] {
			backendtest.Near(t, name, moments[Winograd][name], want, 1e-5)
		}
		backendtest.Near(t, "losses of six steps", losses[Winograd], losses[Plain], 1e-5)
	})
}

// TestGradientsAreChecked: a network's own gradients are those of all its weights.
func TestGradientsAreChecked(t *testing.T) {
	pixels, labels, err := data(few(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		change func(g map[string]*Node)
		want   string
	}{
		{func(g map[string]*Node) { delete(g, "/conv2/biases") }, "the network's Gradients has none for /conv2/biases, want one for each of its weights"},
		{func(g map[string]*Node) { g["/conv3/biases"] = g["/conv2/biases"] }, "the network's Gradients has 7: /conv1/biases, "},
	} {
		net := tiny(1)
		whole := net.Gradients
		net.Gradients = func(scope *model.Scope, x, label, share *Node) (*Node, map[string]*Node) {
			loss, g := whole(scope, x, label, share)
			row.change(g)
			return loss, g
		}
		withAdam(t, net)
		step, err := gradientsStep(backendtest.Go(t), net, Config{Optimizer: Adam, Augment: None}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := step(pixels, labels, None.epochPicks(2, small, margin, 1, 0), 1e-3, 1); err == nil || !strings.HasPrefix(err.Error(), "train: step: "+row.want) {
			t.Errorf("error %v, want one that says %q", err, row.want)
		}
	}
}

// TestChunks: chunks are alike where they can be, and never more than fits the cache.
func TestChunks(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 32: 32, 34: 17, 37: 19, 125: 25, 128: 32, 100: 25, 127: 32, 33: 11} {
		got := exec.ChunkSize(n, exec.Batch)
		if got != want || got > exec.Batch {
			t.Errorf("chunks of %d for %d images, want %d", got, n, want)
		}
	}
}

// TestPlainIsTraining: GoMLX's layers know in the step that they are trained, and in the
// evaluation that they are not.
func TestPlainIsTraining(t *testing.T) {
	net := tiny(1)
	var training []bool
	head := net.Head
	net.Head = func(scope *model.Scope, act *Node) *Node {
		training = append(training, scope.IsTraining(act.Graph()))
		return head(scope, act)
	}
	ds := few(t, 4)
	b := backendtest.Go(t)
	withAdam(t, net)
	step, err := plainStep(b, net, Config{Optimizer: Adam, Augment: None}, 10)
	if err != nil {
		t.Fatal(err)
	}
	pixels, labels, err := data(ds)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := step(pixels, labels, None.epochPicks(4, small, margin, 1, 0), 1e-3, 1); err != nil {
		t.Fatal(err)
	}
	evaluate(t, b, net, ds)
	if !slices.Equal(training, []bool{true, false}) {
		t.Errorf("training %v, want it in the step and not in the evaluation", training)
	}
}
