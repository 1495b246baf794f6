package backend

import (
	"errors"
	"sync/atomic"

	"github.com/camlab-go/camlab/internal/plugin"
)

// foreign reports whether graphs are to run that camlab did not make.
var foreign atomic.Bool

// Foreign says that this process will run graphs that camlab did not make. XLA is then
// opened without those of its plugin's flags that can end the process: where oneDNN has no
// form of a convolution, XLA's call of it is no error that can be caught.
func Foreign() { foreign.Store(true) }

// CheckForeign returns an error if XLA was opened with such flags before.
func CheckForeign() error {
	if plugin.Risky() {
		return errors.New("XLA was opened before with flags of oneDNN, which can end the process on graphs that camlab did not make: open the ONNX file first in this process, or set XLA_FLAGS to nothing in its environment")
	}
	return nil
}
