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

// Archive returns the files of a .tar.gz in the test data of camlib/onnx, by their names.
func Archive(tb testing.TB, name string) map[string][]byte {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "..", "..", "camlib", "onnx", "testdata", name))
	check(tb, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(tb, err)
	files := make(map[string][]byte)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		check(tb, err)
		files[h.Name], err = io.ReadAll(r)
		check(tb, err)
	}
}

// Networks unpacks the networks into a folder of the test: residual_dynamo.onnx and others,
// and the arrays of residual.npz as residual_x.npy, residual_logits.npy, ….
func Networks(tb testing.TB) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	unpack(tb, dir, "nets.tar.gz")
	return dir
}

// Attention is Networks with those of attention.tar.gz beside them, and the arrays of
// attention_tokens.npz and others.
func Attention(tb testing.TB) (dir string) {
	tb.Helper()
	dir = Networks(tb)
	unpack(tb, dir, "attention.tar.gz")
	return dir
}

func unpack(tb testing.TB, dir, archive string) {
	tb.Helper()
	for name, data := range Archive(tb, archive) {
		check(tb, os.WriteFile(filepath.Join(dir, name), data, 0o644))
		stem, ok := strings.CutSuffix(name, ".npz")
		if !ok {
			continue
		}
		arrays, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		check(tb, err)
		for _, a := range arrays.File {
			in, err := a.Open()
			check(tb, err)
			data, err := io.ReadAll(in)
			check(tb, err)
			check(tb, os.WriteFile(filepath.Join(dir, stem+"_"+a.Name), data, 0o644))
		}
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
