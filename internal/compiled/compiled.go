// Package compiled runs compiled graphs without leaving tensors behind.
package compiled

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Batch is how many images a run takes where nothing else is asked for: the activations
// of the article's network for them fit a processor's cache, and more are slower.
const Batch = 32

// Call runs a compiled graph and frees its inputs. A panic of a network is
// returned as an error.
func Call(exec func(...any) ([]*tensors.Tensor, error), inputs ...*tensors.Tensor) (out []*tensors.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: %v", r)
		}
		for _, t := range inputs {
			err = errors.Join(err, t.FinalizeAll())
		}
	}()
	args := make([]any, len(inputs))
	for i, t := range inputs {
		args[i] = t
	}
	if out, err = exec(args...); err != nil {
		err = Cause(err)
	}
	return out, err
}

// Cause is what a graph was not built or compiled for, without what GoMLX v0.28.1 puts
// before it, which names functions of its own.
func Cause(err error) error {
	for _, prefix := range []string{"failed during graph construction/compilation: ", "compilation failed for Exec ", "graphFn for "} {
		if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), prefix) {
			err = inner
		}
	}
	return err
}

// Initialized reports whether all variables of a store have values.
func Initialized(store *model.Store) bool {
	for v := range store.IterVariables() {
		if !v.HasValue() {
			return false
		}
	}
	return true
}

// Take returns the values of a tensor and frees it.
func Take[T float32 | int32 | uint8 | bool](t *tensors.Tensor) ([]T, error) {
	v, err := tensors.CopyFlatData[T](t)
	return v, errors.Join(err, t.FinalizeAll())
}
