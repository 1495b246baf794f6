// Package shared finds the data that tests use but the repository does not
// hold: the CIFAR-10 archive, the reference maps and inputs that once went wrong.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// Data returns the folder that holds CIFAR-10: the environment variable
// CAMLAB_DATA, else shared/data beside the repository. It skips the test when
// there is neither.
func Data(tb testing.TB) string {
	tb.Helper()
	if dir := os.Getenv("CAMLAB_DATA"); dir != "" {
		return dir
	}
	return beside(tb, "data")
}

// Reference returns the folder of reference maps, shared/reference beside the
// repository. It skips the test when there is none.
func Reference(tb testing.TB) string {
	tb.Helper()
	return beside(tb, "reference")
}

// Cases returns the folder of inputs that went wrong once, shared/cases beside the
// repository. It skips the test when there is none.
func Cases(tb testing.TB) string {
	tb.Helper()
	return beside(tb, "cases")
}

// beside returns a folder of shared, which lies beside the folder of go.mod.
func beside(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Skipf("no go.mod above the working directory, so no shared/%s", name)
		}
		dir = parent
	}
	found := filepath.Join(filepath.Dir(dir), "shared", name)
	if _, err := os.Stat(found); err != nil {
		tb.Skipf("no shared/%s beside the repository", name)
	}
	return found
}
