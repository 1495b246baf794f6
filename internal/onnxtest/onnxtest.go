// Package onnxtest has small networks by PyTorch's exporters, and what PyTorch computes
// for them, for the tests of several packages. camlib/onnx/testdata/make.py makes them.
package onnxtest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Networks unpacks the networks into a folder of the test: residual_dynamo.onnx and others,
// and the arrays of residual.npz as residual_x.npy, residual_logits.npy, ….
func Networks(tb testing.TB) (dir string) {
	tb.Helper()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	dir = tb.TempDir()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "..", "..", "camlib", "onnx", "testdata", "nets.tar.gz"))
	check(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		check(err)
		data, err := io.ReadAll(r)
		check(err)
		check(os.WriteFile(filepath.Join(dir, h.Name), data, 0o644))
		name, ok := strings.CutSuffix(h.Name, ".npz")
		if !ok {
			continue
		}
		arrays, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		check(err)
		for _, a := range arrays.File {
			in, err := a.Open()
			check(err)
			data, err := io.ReadAll(in)
			check(err)
			check(os.WriteFile(filepath.Join(dir, name+"_"+a.Name), data, 0o644))
		}
	}
}
