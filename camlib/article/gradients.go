package article

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/nn"
)

// gradientsWith returns the [network.Gradients] of the convolutions with a head: those of the
// convolutions by hand, those of the head, whose variables have these paths, by automatic
// differentiation.
func gradientsWith(head func(scope *model.Scope, act *graph.Node) *graph.Node, paths ...string) network.Gradients {
	return func(scope *model.Scope, x, target, share *graph.Node) (loss *graph.Node, all map[string]*graph.Node) {
		all = make(map[string]*graph.Node)
		layer := func(name string, x *graph.Node) (y *graph.Node, back func(dy *graph.Node) (dx *graph.Node)) {
			scope := scope.At("%s", name)
			y, backward := nn.ConvReLU(x, weights(scope, x), biases(scope, x))
			return y, func(dy *graph.Node) *graph.Node {
				dw, db, dx := backward(dy)
				all[model.JoinPath("/", name, "weights")], all[model.JoinPath("/", name, "biases")] = dw, db
				return dx
			}
		}
		y1, back1 := layer("conv1", x)
		y2, back2 := layer("conv2", y1)
		pool := nn.MaxPool2x2(y2)
		y3, back3 := layer("conv3", pool)
		y4, back4 := layer("conv4", y3)
		y5, back5 := layer("conv5", y4)
		loss = graph.Mul(score.TargetLoss(head(scope, y5), target), share)
		of := []*graph.Node{y5}
		for _, path := range paths {
			of = append(of, scope.Store().GetVariable(path).NodeValue(x.Graph()))
		}
		g := graph.Gradient(loss, of...)
		for i, path := range paths {
			all[path] = g[1+i]
		}
		back1(back2(nn.MaxPool2x2Gradient(y2, pool, back3(back4(back5(g[0]))))))
		return loss, all
	}
}
