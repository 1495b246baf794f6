package train

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
)

// BenchmarkCheckpoint is what a checkpoint of a network of the article's size costs a
// training: read, checked, written and synced. Per CheckpointEvery of two minutes it has to
// stay far below one percent, 1.2 s.
func BenchmarkCheckpoint(b *testing.B) {
	net := &network.Network{Name: "as large", Store: model.NewStore()}
	net.Store.VariableWithValue("weights", tensors.FromFlatDataAndDimensions(make([]float32, 343_594), 343_594))
	f, err := openFolder(b.TempDir(), content{net.Name, withAdam(b, net)}, 2, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer f.close()
	weights := encode(b, net)
	for b.Loop() {
		values, err := valuesOf(net.Store, f.holds.parameters)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.save(&checkpoint{state{}, values, weights}); err != nil {
			b.Fatal(err)
		}
	}
}
