package cam

import (
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestMasksReachFromZeroToOne is the mask of each channel on its own: enlarged by
// half pixels, lowest value 0, highest 1, and 0 everywhere for a constant one. A
// network's ReLU would hide a NaN there.
func TestMasksReachFromZeroToOne(t *testing.T) {
	m := [][][][]float32{{{{0, 12}}, {{-6, 6}}, {{5, 5}}, {{0, 0}}}}
	out, err := ExecOnce(backendtest.Go(t), func(m *Node) *Node { return masks(m, 1, 4) }, m)
	if err != nil {
		t.Fatal(err)
	}
	got := tensors.MustCopyFlatData[float32](out)
	want := []float32{0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	if !slices.Equal(got, want) {
		t.Errorf("masks %v, want %v", got, want)
	}
}
