package cam

import (
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// RISEMasks returns RISE's masks, [n, height, width].
func RISEMasks(b compute.Backend, n, height, width int) []float32 {
	out := MustExecOnce(b, func(x *Node) *Node {
		p := &Pass{Images: x}
		return p.riseMasks(n)
	}, tensors.FromFlatDataAndDimensions(make([]float32, height*width*3), 1, height, width, 3))
	return tensors.MustCopyFlatData[float32](out)
}

// Unregister takes a method out again.
func Unregister(m Method) {
	mu.Lock()
	defer mu.Unlock()
	methods = slices.DeleteFunc(methods, func(other Method) bool { return other == m })
}
