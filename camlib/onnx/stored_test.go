package onnx

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/npy"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// storedTensor is a TensorProto of floats.
func storedTensor(shape []int, values []float32) []byte {
	var all [][]byte
	for _, d := range shape {
		all = append(all, num(1, uint64(d)))
	}
	var raw []byte
	for _, v := range values {
		raw = append(raw, floatBytes(v)...)
	}
	return bytes.Join(append(all, num(2, 1), str(9, string(raw))), nil)
}

func floatBytes(v float32) []byte {
	u := math.Float32bits(v)
	return []byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)}
}

func readNPY(tb testing.TB, file string) (shape []int, values []float32) {
	tb.Helper()
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := npy.NewReader(f, info.Size())
	if err != nil {
		tb.Fatal(err)
	}
	values = make([]float32, product(r.Shape))
	if err := r.Read(values); err != nil {
		tb.Fatal(err)
	}
	return r.Shape, values
}

// TestStoredVectors is that what PyTorch computed, stored beside a network as ONNX's own
// test data is, is compared at import: a network that ends in a softmax by what it ends in.
func TestStoredVectors(t *testing.T) {
	dir := onnxtest.Networks(t)
	put := func(folder, name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open := func(name string) (*Imported, error) {
		m, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		// What is done to pixels is not done to a stored input.
		return m.Network(backendtest.Go(t), Options{Mean: []float32{0.5}, Std: []float32{0.25}})
	}
	for _, name := range []string{"residual", "flat"} {
		xShape, x := readNPY(t, filepath.Join(dir, name+"_x.npy"))
		shape, logits := readNPY(t, filepath.Join(dir, name+"_logits.npy"))
		if name == "flat" { // it ends in LogSoftmax
			for i := 0; i < len(logits); i += shape[1] {
				sum := 0.0
				for _, v := range logits[i : i+shape[1]] {
					sum += math.Exp(float64(v))
				}
				for j := range shape[1] {
					logits[i+j] -= float32(math.Log(sum))
				}
			}
		}
		const set, next = "test_data_set_0", "test_data_set_1"
		put(set, "input_0.pb", storedTensor(xShape, x))
		put(set, "output_0.pb", storedTensor(shape, logits))
		put(next, "input_0.pb", storedTensor([]int{1, 2}, []float32{3, 4}))
		put(next, "output_0.pb", storedTensor(shape, logits))
		for _, file := range []string{name + "_dynamo.onnx", name + "_free.onnx"} {
			im, err := open(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(im.Stored) != 2 || im.Stored[0].Images != xShape[0] || im.Stored[0].Skipped != "" || im.Stored[0].Difference > 1e-5 {
				t.Errorf("%s: %+v, want the first of two compared", file, im.Stored)
			}
			notes := strings.Join(im.Notes, "\n")
			for _, want := range []string{"gives the output stored in test_data_set_0 to ", "the test vector in test_data_set_1 is not compared: input of shape [1 2], want [0 3 "} {
				if !strings.Contains(notes, want) {
					t.Errorf("%s: notes %q, want %q", file, notes, want)
				}
			}
		}
		largest := 0.0
		for _, v := range logits {
			largest = max(largest, math.Abs(float64(v)))
		}
		logits[1] += float32(largest / 50)
		put(set, "output_0.pb", storedTensor(shape, logits))
		_, err := open(name + "_free.onnx")
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "of the largest value from the one stored in test_data_set_0, want at most 0.01") {
			t.Errorf("%s with another output stored: error %v", name, err)
		}
	}
}
