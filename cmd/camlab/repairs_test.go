package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/npy"
)

// TestExplainOtherSettings wants what a stopped run of other settings left never to
// be mixed with a run's results.
func TestExplainOtherSettings(t *testing.T) {
	slow(t)
	backendtest.XLA(t)
	photos := t.TempDir()
	for i := range 66 {
		write(t, filepath.Join(photos, fmt.Sprintf("%02d.png", i)), pngBytes(t, i))
	}
	model := filepath.Join(t.TempDir(), "other.safetensors")
	if err := article.New(7).Save(model); err != nil {
		t.Fatal(err)
	}
	first := func(out string) []string {
		return []string{"explain", photos, "--method", "gradcam", "--out", out}
	}
	begun := t.TempDir()
	if _, err := stopAfter(t, 1, begun, first(begun)); !errors.Is(err, context.Canceled) || lines(begun) < 1 {
		t.Fatalf("%d units, %v; want a stopped run", lines(begun), err)
	}
	for _, test := range []struct {
		differ string
		args   []string
		change func(t *testing.T)
	}{
		{"--class", []string{"--class", "top 2"}, nil},
		{"--layer, --method", []string{"--method", "layercam", "--layer", "conv4"}, nil},
		{"--model, the model's weights", []string{"--model", model}, nil},
		{"the images", nil, func(t *testing.T) { write(t, filepath.Join(photos, "03.png"), pngBytes(t, 90)) }},
		{"the images", nil, func(t *testing.T) {
			if err := os.Remove(filepath.Join(photos, "65.png")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.differ, func(t *testing.T) {
			out, fresh := t.TempDir(), t.TempDir()
			if err := os.CopyFS(out, os.DirFS(begun)); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(t)
			}
			var said bytes.Buffer
			root := newRoot()
			root.SetArgs(append(first(out), test.args...))
			root.SetOut(&bytes.Buffer{})
			root.SetErr(&said)
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := "with other settings (" + test.differ + "), which begins anew"; !strings.Contains(said.String(), want) {
				t.Errorf("said %q, want %q", said.String(), want)
			}
			if _, err := command(t, append(first(fresh), test.args...)...); err != nil {
				t.Fatal(err)
			}
			got := files(t, out)
			for name, content := range files(t, fresh) {
				if got[name] != content {
					t.Errorf("%s is not what a fresh folder gets", name)
				}
			}
		})
	}
}

// TestExplainRepairs damages what a stopped run left.
func TestExplainRepairs(t *testing.T) {
	slow(t)
	backendtest.XLA(t)
	args := func(out string) []string {
		return []string{"explain", "--split", "sample", "--index", sampleIndex(33), "--method", "cam,gradcam,layercam", "--out", out}
	}
	whole, begun := t.TempDir(), t.TempDir()
	if _, err := command(t, args(whole)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	if _, err := stopAfter(t, 2, begun, args(begun)); !errors.Is(err, context.Canceled) || lines(begun) < 2 {
		t.Fatalf("%d units, %v", lines(begun), err)
	}
	flip := func(name string, at int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, unfinished, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			write(t, path, b)
		}
	}
	cut := func(name string, by int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, unfinished, name)
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, max(0, info.Size()-by))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		what   string
		damage func(t *testing.T, dir string)
	}{
		{"nothing", func(*testing.T, string) {}},
		{"last line torn", cut("journal", 10)},
		{"end of line missing", cut("journal", 1)},
		{"journal empty", cut("journal", 1<<30)},
		{"settings damaged", flip("journal", 20)},
		{"first unit damaged", flip("journal", 5000)},
		{"last unit damaged", flip("journal", -5)},
		{"logits damaged", flip("logits.npy", npy.HeaderSize+5)},
		{"map damaged", flip("maps_cam.npy", npy.HeaderSize+7000)},
		{"map short", cut("maps_gradcam.npy", 100)},
		{"map empty", cut("maps_cam.npy", 1<<30)},
		{"map gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, unfinished, "maps_cam.npy")); err != nil {
				t.Fatal(err)
			}
		}},
		{"map of an earlier run beside a missing one", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, unfinished, "maps_cam.npy")); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "maps_cam.npy"), make([]byte, 1<<20))
		}},
		{"picture gone", func(t *testing.T, dir string) {
			p, err := filepath.Glob(filepath.Join(dir, "*_gradcam.png"))
			if err == nil {
				err = os.Remove(p[0])
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"picture empty", func(t *testing.T, dir string) {
			p, err := filepath.Glob(filepath.Join(dir, "*_cam.png"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, p[0], nil)
		}},
		{"arrays in their places, no manifest", func(t *testing.T, dir string) {
			if _, err := command(t, args(dir)...); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
				t.Fatal(err)
			}
		}},
		{"other things in the folder", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, unfinished, ".maps_cam.png123"), []byte("left over"))
			write(t, filepath.Join(dir, ".lock"), nil) // of a killed run
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			out := t.TempDir()
			if err := os.CopyFS(out, os.DirFS(begun)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, out)
			if _, err := command(t, args(out)...); err != nil {
				t.Fatal(err)
			}
			same(t, test.what, out, want)
		})
	}
}
