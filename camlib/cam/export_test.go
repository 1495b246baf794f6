package cam

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// RISEMasks returns RISE's masks, [n, height, width].
func RISEMasks(b compute.Backend, n, height, width int) []float32 {
	out := MustExecOnce(b, func(x *Node) *Node {
		p := &Pass{Images: x, samples: n}
		return p.riseMasks()
	}, tensors.FromFlatDataAndDimensions(make([]float32, height*width*3), 1, height, width, 3))
	return tensors.MustCopyFlatData[float32](out)
}
