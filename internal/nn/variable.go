package nn

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Variable is a variable of a scope as a node of x's graph and type. It panics where there is
// none, as graph-building functions do.
func Variable(scope *model.Scope, name string, x *Node) *Node {
	v := scope.GetVariable(name)
	if v == nil {
		panic(fmt.Errorf("nn: store has no variable %s in %s", name, scope.Scope()))
	}
	return ConvertDType(v.NodeValue(x.Graph()), x.DType())
}

// Linear is x w + b, of x [n, in], with the scope's variables weights, [in, out], and biases.
func Linear(scope *model.Scope, x *Node) *Node {
	return AddBias(MatMul(x, Variable(scope, "weights", x)), Variable(scope, "biases", x))
}
