package article

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/nn"
)

// gradients is the network's [network.Gradients]: those of all layers by hand.
func gradients(scope *model.Scope, x, target, share *graph.Node) (loss *graph.Node, all map[string]*graph.Node) {
	all = make(map[string]*graph.Node)
	set := func(name string, dw, db *graph.Node) {
		all[model.JoinPath("/", name, "weights")], all[model.JoinPath("/", name, "biases")] = dw, db
	}
	layer := func(name string, x *graph.Node) (y *graph.Node, back func(dy *graph.Node) (dx *graph.Node)) {
		scope := scope.At("%s", name)
		y, backward := nn.ConvReLU(x, weights(scope, x), biases(scope, x))
		return y, func(dy *graph.Node) *graph.Node {
			dw, db, dx := backward(dy)
			set(name, dw, db)
			return dx
		}
	}
	y1, back1 := layer("conv1", x)
	y2, back2 := layer("conv2", y1)
	pool := nn.MaxPool2x2(y2)
	y3, back3 := layer("conv3", pool)
	y4, back4 := layer("conv4", y3)
	y5, back5 := layer("conv5", y4)
	pooled := graph.ReduceMean(y5, 1, 2)
	loss = graph.Mul(score.TargetLoss(dense(scope, pooled), target), share)
	head := scope.At("dense")
	g := graph.Gradient(loss, weights(head, pooled), biases(head, pooled), pooled)
	set("dense", g[0], g[1])

	d := y5.Shape().Dimensions
	dy5 := graph.BroadcastToDims(graph.InsertAxes(graph.DivScalar(g[2], float64(d[1]*d[2])), 1, 1), d...)
	back1(back2(nn.MaxPool2x2Gradient(y2, pool, back3(back4(back5(dy5))))))
	return loss, all
}
