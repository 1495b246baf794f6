package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// member is a file in a tar.
type member struct {
	name string
	data []byte
}

func tarOf(t *testing.T, path string, members ...member) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data)), Typeflag: tar.TypeReg}
		if m.data == nil {
			h.Typeflag, h.Linkname = tar.TypeLink, "elsewhere.png"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	if isZipped(path) {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		if _, err := g.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		data = z.Bytes()
	}
	write(t, path, data)
}

// TestExplainTar wants a tar's pictures explained as a folder's, and their labels found.
func TestExplainTar(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	var members []member
	for i := range 5 {
		write(t, filepath.Join(folder, fmt.Sprintf("%d.png", i)), pngBytes(t, i))
		members = append(members, member{fmt.Sprintf("./set/%d.png", i), pngBytes(t, i)}, member{fmt.Sprintf("./set/%d.json", i), []byte("{}")})
	}
	members = append(members,
		member{"set/0.cls", []byte("6\n")}, member{"set/1.txt", []byte("a frog in a pond")}, member{"set/1.cls", []byte("frog")},
		member{"set/2.txt", []byte("ship")}, member{"set/3.cls", []byte("1000")},
		member{"set/broken.png", pngBytes(t, 7)[:900]}, member{"set/web.jpg", []byte("<html>")}, member{"set/._0.png", []byte("of macOS")})
	want, err := explainList(t, "", folder, "--class", "frog")
	if err != nil {
		t.Fatal(err)
	}
	wantMaps, _ := array(t, filepath.Join(want, "maps_cam.npy"))
	for _, file := range []string{"a.tar", "a.tar.gz", "a.TGZ"} {
		path := filepath.Join(dir, file)
		tarOf(t, path, members...)
		out, err := explainList(t, "", path, "--class", "frog")
		if err == nil || !strings.Contains(err.Error(), "explain: 2 of 7 pictures could not be read") || !strings.Contains(err.Error(), path+"/set/broken.png") {
			t.Fatalf("error %v, want that two could not be read", err)
		}
		if got := imagesOf(t, out, func(e explained) string { return e.Name + " " + e.Label }); !slices.Equal(got, []string{"set/0 frog", "set/1 frog", "set/2 ship", "set/3 ", "set/4 "}) {
			t.Errorf("%s: images %q, want their names and labels", file, got)
		}
		if m := readManifest(t, out); m.Images[2].File != path+"/set/2.png" || m.Failed[1].Name != "set/web" || !strings.Contains(m.Failed[1].Error, "unknown format") {
			t.Errorf("%s: image %+v, failed %+v", file, m.Images[2], m.Failed)
		}
		maps, shape := array(t, filepath.Join(out, "maps_cam.npy"))
		if !slices.Equal(maps, wantMaps) {
			t.Errorf("%s: maps shaped %v are not the folder's", file, shape)
		}
	}

	for file, label := range map[string]string{"b-00.tar": "3", "b-01.tar": "truck"} { // that count from 0 each
		tarOf(t, filepath.Join(dir, file), member{"0.cls", []byte(label)}, member{"0.png", pngBytes(t, 0)})
	}
	out, err := explainList(t, "", filepath.Join(dir, "b-*.tar"), "--class", "label")
	if err != nil {
		t.Fatal(err)
	}
	if got := imagesOf(t, out, func(e explained) string { return e.Name + " " + e.Class + " " + e.Pictures[0] }); !slices.Equal(got, []string{"b-00/0 cat b-00_0_cat_cam.png", "b-01/0 truck b-01_0_truck_cam.png"}) {
		t.Errorf("images of two tars %q", got)
	}

	tarOf(t, filepath.Join(dir, "links.tar"), member{"0.png", pngBytes(t, 0)}, member{"1.png", nil})
	tarOf(t, filepath.Join(dir, "texts.tar"), member{"0.txt", []byte("frog")})
	whole, err := os.ReadFile(filepath.Join(dir, "a.tar"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "short.tar"), whole[:3000])
	write(t, filepath.Join(dir, "no.tar"), bytes.Repeat([]byte("no tar "), 1000))
	write(t, filepath.Join(dir, "no.tar.gz"), whole)
	for file, want := range map[string]string{
		"a.tar": "a.tar/set/3.png has no label that is a class of the network", "links.tar": "1.png: a link or a sparse file, want the picture itself",
		"texts.tar": "no .png, .jpg, .gif, .webp, .bmp or .tiff in it", "short.tar": "want a whole tar", "no.tar": "invalid tar header, want a whole tar",
		"no.tar.gz": "want a tar compressed by gzip",
	} {
		if _, err := explainList(t, "", filepath.Join(dir, file), "--class", "label"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", file, err, want)
		}
	}
}
