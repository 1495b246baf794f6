package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

// TestExplainShards joins the shards' files and wants those of one run; a shard
// that was stopped and starts again leaves what it would have left at once.
func TestExplainShards(t *testing.T) {
	const n, images = 3, 7
	var index []string
	for _, i := range cifar10.Sample().Index[:images] {
		index = append(index, strconv.Itoa(i))
	}
	explain := func(out string, more ...string) error {
		_, err := command(t, append([]string{"explain", "--split", "sample", "--index", strings.Join(index, ","), "--class", "top 2",
			"--method", "cam,gradcam,randomcam", "--backend", "go", "--out", out}, more...)...)
		return err
	}
	whole, out := t.TempDir(), t.TempDir()
	if err := explain(whole); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := explain(out, "--shard", fmt.Sprintf("%d/%d", i, n)); err != nil {
			t.Fatal(err)
		}
	}
	shards, err := filepath.Glob(filepath.Join(out, "shard-*")) // in order
	if err != nil || len(shards) != n || filepath.Base(shards[1]) != "shard-00001-of-00003" {
		t.Fatalf("folders %v, error %v; want one of each shard", shards, err)
	}
	for file, row := range map[string]int{"logits.npy": 10, "maps_cam.npy": 2 * 256, "maps_gradcam.npy": 2 * 256, "maps_randomcam.npy": 2 * 256} {
		want, _ := array(t, filepath.Join(whole, file))
		var got []float64
		for _, shard := range shards {
			part, _ := array(t, filepath.Join(shard, file))
			got = append(got, part...)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d values in all shards, want %d", file, len(got), len(want))
		}
		sameRows(t, file, got, want, row)
	}
	var infos []explained
	var pictures []string
	for i, shard := range shards {
		m := readManifest(t, shard)
		if want := fmt.Sprintf("%d/3", i); m.Shard != want || len(m.Images) < images/n || len(m.Images) > images/n+1 {
			t.Errorf("manifest of shard %q with %d images, want %s and a third of %d", m.Shard, len(m.Images), want, images)
		}
		infos = append(infos, m.Images...)
		in, err := filepath.Glob(filepath.Join(shard, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range in {
			pictures = append(pictures, filepath.Base(p))
		}
	}
	if want := readManifest(t, whole).Images; !reflect.DeepEqual(infos, want) {
		t.Errorf("images %v of all shards, want %v", infos, want)
	}
	if len(pictures) != images*2*3 {
		t.Errorf("%d pictures in all shards, want two of each image by each of three methods", len(pictures))
	}
	for _, name := range pictures {
		if _, err := os.Stat(filepath.Join(whole, name)); err != nil {
			t.Errorf("%s is a shard's, but not one of the whole run", name)
		}
	}

	// Stopped while it wrote: no manifest, as long as not all else is there.
	shard := shards[1]
	before := files(t, shard)
	blocked := filepath.Join(shard, "maps_gradcam.npy")
	if err := errors.Join(os.Remove(blocked), os.Mkdir(blocked, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := explain(out, "--shard", "1/3"); err == nil {
		t.Error("a file that cannot be written went unnoticed")
	}
	if _, err := os.Stat(filepath.Join(shard, "manifest.json")); err == nil {
		t.Error("a shard that is not whole has a manifest")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if err := explain(out, "--shard", "1/3"); err != nil {
		t.Fatal(err)
	}
	if after := files(t, shard); !reflect.DeepEqual(after, before) {
		t.Errorf("files %v after a second start, want the same bytes in %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// TestExplainFolders takes the pictures of a folder in the order of their names.
func TestExplainFolders(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, cifar10.Sample().Image(0)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.PNG", "a.png", "notes.txt", "c.jpeg"} { // the content tells what it is
		if err := os.WriteFile(filepath.Join(dir, name), picture.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"a", "b", "c"} {
		text, err := command(t, "explain", dir, "--backend", "go", "--shard", fmt.Sprintf("%d/3", i), "--out", out, "--json")
		if err != nil {
			t.Fatal(err)
		}
		var m manifest
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Images) != 1 || m.Images[0].Name != want {
			t.Errorf("shard %d is of %v, want %s", i, m.Images, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.jpg"), picture.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "explain", dir, "--shard", "2/3", "--out", out); err == nil || !strings.Contains(err.Error(), "would both be written as a, want different names") {
		t.Errorf("error %v of two pictures of one name in another shard", err)
	}
}

// TestExplainJob runs what the pods of docker/k8s's Job would run, on a folder
// of as many pictures as it has parts.
func TestExplainJob(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docker", "k8s", "explain-job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	completions := regexp.MustCompile(`completions: (\d+)`).FindSubmatch(text)
	args := regexp.MustCompile(`\n +args:\n((?: +- .*\n)+)`).FindSubmatch(text)
	if completions == nil || args == nil {
		t.Fatal("no completions or args in the Job")
	}
	n, err := strconv.Atoi(string(completions[1]))
	if err != nil {
		t.Fatal(err)
	}
	images, maps := t.TempDir(), t.TempDir()
	for i := range n {
		f, err := os.Create(filepath.Join(images, fmt.Sprintf("%d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, cifar10.Sample().Image(i)), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		fill := strings.NewReplacer("/data/images", images, "/data/maps", maps, "$(JOB_COMPLETION_INDEX)", strconv.Itoa(i), "=xla:cpu", "=go")
		var line []string
		for arg := range strings.Lines(string(args[1])) {
			arg, _, _ = strings.Cut(strings.TrimSpace(arg), " #")
			line = append(line, fill.Replace(strings.TrimPrefix(arg, "- ")))
		}
		if _, err := command(t, line...); err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if _, err := os.Stat(filepath.Join(maps, fmt.Sprintf("shard-%05d-of-%05d", i, n), "manifest.json")); err != nil {
			t.Error(err)
		}
	}
}
