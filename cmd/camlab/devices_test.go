package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestDevices: several devices, also more than XLA's plugin opens of itself, evaluate and
// explain as one does.
func TestDevices(t *testing.T) {
	backendtest.XLA(t) // or skip
	var loss []float64
	for _, devices := range []string{"1", "5"} {
		out, err := command(t, "evaluate", "--split", "sample", "--backend", "xla:cpu", "--devices", devices, "--json")
		if err != nil {
			t.Fatal(err)
		}
		var e evaluation
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		loss = append(loss, e.Loss)
	}
	if len(loss) != 2 || math.Abs(loss[0]-loss[1]) > 1e-6 {
		t.Errorf("losses %v on 1 and 5 devices, want the same", loss)
	}

	dir := t.TempDir()
	maps := func(devices string) []float64 {
		out := filepath.Join(dir, devices)
		if _, err := command(t, "explain", "--split", "sample", "--index", "3,7,11", "--backend", "xla:cpu", "--devices", devices, "--pictures=false", "--out", out); err != nil {
			t.Fatal(err)
		}
		values, _ := array(t, filepath.Join(out, "maps_cam.npy"))
		return values
	}
	sameRows(t, "maps on two devices", maps("2"), maps("1"), 16*16)
}

func TestDevicesThatAreNotThere(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"train --epochs 1 --data " + t.TempDir() + " --backend go --devices 2 --out " + t.TempDir(), "train: --devices: 2 devices, but GoMLX in pure Go has 1: want xla:cpu"},
		{"evaluate --split sample --backend go --devices 3", "evaluate: --devices: 3 devices, but GoMLX in pure Go has 1: want xla:cpu"},
		{"explain --split sample --index 3 --backend go --devices 3 --out " + t.TempDir(), "explain: --devices: 3 devices, but GoMLX in pure Go has 1"},
		{"explain --split sample --index 3 --backend go --devices -1 --out " + t.TempDir(), "explain: --devices -1, want 1 or more"},
	} {
		if _, err := command(t, strings.Fields(row.line)...); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one that begins %q", row.line, err, row.want)
		}
	}
}
