package camlib_test

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib"
)

// TestArticleIsOneNetwork: graphs that are compiled serve every caller, until
// somebody changes the weights.
func TestArticleIsOneNetwork(t *testing.T) {
	article := func() *camlib.Model {
		t.Helper()
		m, err := camlib.Article()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, second := article(), article()
	if first.Network != second.Network || first.Explainer != second.Explainer {
		t.Error("two calls give two networks, want one")
	}
	second.Notes = []string{"mine"}
	if article().Notes != nil {
		t.Error("a caller's note is another's")
	}
	variable := slices.Collect(first.Network.Variables())[0]
	values := make([]float32, variable.Shape().Size())
	if err := variable.SetValue(tensors.FromFlatDataAndDimensions(values, variable.Shape().Dimensions...)); err != nil {
		t.Fatal(err)
	}
	third := article()
	if third.Network == first.Network {
		t.Error("a network whose weights have changed is returned as the shipped one")
	}
	if third.Network != article().Network {
		t.Error("the network after it is not one again")
	}
}
