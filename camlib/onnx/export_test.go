package onnx

import "testing"

// Archive is archive for tests outside the package.
func Archive(tb testing.TB, name string) map[string][]byte { return archive(tb, name) }
