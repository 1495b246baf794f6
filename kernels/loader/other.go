//go:build !(linux && amd64 && go1.26 && !go1.27)

package loader

import (
	"fmt"
	"reflect"
	"runtime"
)

// Loader loads packages.
type Loader struct{}

// New fails: this is not the platform or the Go whose programs the package knows.
func New(packages map[string]string) (*Loader, error) {
	return nil, fmt.Errorf("loader: cells are loaded into a running program by Go 1.26 on linux/amd64 only, this is %s on %s/%s",
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// AddPackages does nothing.
func (l *Loader) AddPackages(packages map[string]string) {}

// LoadCell fails, as [New] does.
func (l *Loader) LoadCell(c Cell) (run func(), err error) {
	_, err = New(nil)
	return nil, err
}

// Variable finds none.
func (l *Loader) Variable(name string) (v reflect.Value, ok bool) { return reflect.Value{}, false }

// Variables are none.
func (l *Loader) Variables() []string { return nil }

// Mapped is 0.
func (l *Loader) Mapped() int { return 0 }
