package compiled_test

import (
	"errors"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/compiled"
)

// TestCallErrorIsTheGraphsOwn is that users read what a network has to say of their
// images, not in which of GoMLX's functions it was said.
func TestCallErrorIsTheGraphsOwn(t *testing.T) {
	broken := errors.New("images of 3 rows, want 4")
	exec, err := model.NewExec(backendtest.Go(t), model.NewStore(), func(*model.Scope, *Node) *Node { panic(broken) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compiled.Call(exec.Call, tensors.FromScalar(float32(1))); err == nil || err.Error() != broken.Error() || !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
