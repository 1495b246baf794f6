package best

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/nn"
)

// gradients is the network's [network.Gradients]: those of all layers by hand, and share times
// the averages of batch normalization after these images.
func gradients(scope *model.Scope, x, target, share *graph.Node) (loss *graph.Node, all map[string]*graph.Node) {
	all = make(map[string]*graph.Node)
	set := func(part, name string, value *graph.Node) { all[model.JoinPath("/", part, name)] = value }
	x = whiten(scope, x)
	var backs []nn.Backward
	for _, p := range parts {
		scope := scope.At("%s", p.name)
		kept := nn.Moments{Mean: nn.Variable(scope, "mean", x), Variance: nn.Variable(scope, "variance", x)}
		y, moments, back := nn.ConvNormReLU(x, nn.Variable(scope, "weights", x), nn.Variable(scope, "scale", x), nn.Variable(scope, "biases", x), p.pool)
		next := after(kept, moments)
		set(p.name, "mean", graph.Mul(next.Mean, share))
		set(p.name, "variance", graph.Mul(next.Variance, share))
		x, backs = y, append(backs, back)
	}
	pooled := graph.ReduceMean(x, 1, 2)
	loss = graph.Mul(score.TargetLoss(dense(scope, pooled), target), share)
	head := scope.At("dense")
	of := func(name string) *graph.Node { return head.GetVariable(name).NodeValue(x.Graph()) }
	g := graph.Gradient(loss, of("weights"), of("biases"), pooled)
	set("dense", "weights", g[0])
	set("dense", "biases", g[1])

	d := x.Shape().Dimensions
	dy := graph.BroadcastToDims(graph.InsertAxes(graph.DivScalar(g[2], float64(d[1]*d[2])), 1, 1), d...)
	for i := len(parts) - 1; i >= 0; i-- {
		dw, db, dx := backs[i](dy)
		set(parts[i].name, "weights", dw)
		set(parts[i].name, "biases", db)
		dy = dx
	}
	return loss, all
}
