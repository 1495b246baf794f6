package main

import (
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/shared"
)

// names are what people and programs call their files.
var names = []string{
	"写真", "שלום עולם", "مرحبا", "한국어", "हिन्दी", "ไทย", "中国", "𠮷野家", "ελληνικά", "кириллица",
	"😀", "👨‍👩‍👧 party", "e\u0301te\u0301", "été", "IMG_1\u202fPM", "no\u00a0break", "a\tb", "a\x1b[31mb", "bell\x07", "new\nline", "a\rb",
	strings.Repeat("x", 250), strings.Repeat("x", 249) + "y", strings.Repeat("é", 120), strings.Repeat("n\u0303", 80), strings.Repeat("写", 80),
	"right\u200fmark", "override\u202e", "zero\u200bwidth", "\ufeffmark", "c1\u0085", "caf\xe9", "caf\xe8", "\xff\xfe", "ends in \xc3",
	"-rf", "--help", ".hidden", " lead", "trail ", "~t", "a:b?c*", `back\slash`, `q"'<&>`, "%s%d%n", "$(x)`y`", "..", "...",
	"Cat", "cat", "CAT", "a", "a_airplane", "a_airplane_cam", "manifest", "maps_cam", "logits",
}

// TestExplainNames gives pictures any names, and wants every one drawn, listed and
// told from the others.
func TestExplainNames(t *testing.T) {
	photos, out := t.TempDir(), t.TempDir()
	picture := pngBytes(t, 0)
	taken := 0
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(photos, name+".png"), picture, 0o644); err == nil && !strings.HasPrefix(name+".png", ".") {
			taken++ // what is hidden is passed over, and a file system of another system may refuse some
		}
	}
	if entries, err := os.ReadDir(photos); err != nil || len(entries) != len(names) {
		t.Logf("%d of %d names are on this file system", len(entries), len(names))
	}
	if _, err := command(t, "explain", photos, "--method", "cam,gradcam", "--class", "top 2", "--out", out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil || !utf8.Valid(text) || !json.Valid(text) {
		t.Fatalf("%v, or the manifest is no JSON in UTF-8", err)
	}
	m := readManifest(t, out)
	if len(m.Images) != taken {
		t.Fatalf("%d images, want %d", len(m.Images), taken)
	}
	listed := make(map[string]bool)
	files := make(map[string]bool)
	for _, im := range m.Images {
		if len(im.Pictures) != 4 || files[im.File] {
			t.Errorf("%q: pictures %q, file %q; want two of each method, and a file of its own", im.Name, im.Pictures, im.File)
		}
		files[im.File] = true
		for _, p := range im.Pictures {
			if listed[folded(p)] {
				t.Errorf("%s is listed twice, or differs from another in case alone", p)
			}
			listed[folded(p)] = true
			f, err := os.Open(filepath.Join(out, p))
			if err != nil {
				t.Error(err)
				continue
			}
			img, err := png.Decode(f)
			if err = errors.Join(err, f.Close()); err != nil {
				t.Errorf("%s: %v", p, err)
			} else if b := img.Bounds(); b.Dx() > 700 || b.Dy() > 400 {
				t.Errorf("%s is of %d×%d pixels: the name spoiled the layout", p, b.Dx(), b.Dy())
			}
		}
	}
	if p, err := filepath.Glob(filepath.Join(out, "*.png")); err != nil || len(p) != 4*taken {
		t.Errorf("%d pictures in the folder, want %d", len(p), 4*taken)
	}
	if _, shape := array(t, filepath.Join(out, "maps_cam.npy")); shape[0] != taken {
		t.Errorf("maps shaped %v", shape)
	}
}

// TestSharedNames are the cases of the material.
func TestSharedNames(t *testing.T) {
	dir := filepath.Join(shared.Cases(t), "names")
	out := t.TempDir()
	if _, err := command(t, "explain", dir, "--out", out); err != nil {
		t.Fatal(err)
	}
	for _, im := range readManifest(t, out).Images {
		if len(im.Pictures) != 1 || !isFile(filepath.Join(out, im.Pictures[0])) {
			t.Errorf("%q: %v", im.Name, im.Pictures)
		}
	}
}

func TestFileNames(t *testing.T) {
	plain := []string{"3", "holiday", "IMG 1", "写真", "frog.small"}
	if got := fileNames(plain, maxImageName, "/", "_"); !slices.Equal(got, plain) {
		t.Errorf("%q became %q, want them as they are", plain, got)
	}
	if got := fileNames([]string{"traffic light"}, maxClassName, " ", "_"); got[0] != "traffic_light" {
		t.Errorf("%q, want an underscore", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.OneOf(rapid.SampledFrom(names), rapid.StringOfN(rapid.SampledFrom([]rune("aAeéE\u0301/\\.-_ ~\x00\u202e写")), 0, 6, -1)), rapid.ID[string]).Draw(t, "names")
		longest := rapid.SampledFrom([]int{maxClassName, maxImageName}).Draw(t, "longest")
		used := make(map[string]string)
		for i, s := range fileNames(names, longest, rapid.SampledFrom([]string{"/", " "}).Draw(t, "from"), "_") {
			if s == "" || len(s) > longest || !utf8.ValidString(s) || strings.ContainsAny(s, "/\\\x00") || strings.ContainsAny(s[:1], "-. ~") {
				t.Errorf("%q became %q", names[i], s)
			}
			if other, ok := used[folded(s)]; ok {
				t.Errorf("%q and %q both became %q", names[i], other, s)
			}
			used[folded(s)] = names[i]
		}
	})
}

// TestExplainSameNames has an image and a class make the name of another's.
func TestExplainSameNames(t *testing.T) {
	network, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	model, err := camlib.New(network, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j, _, err := openJournal(dir, settings{}, []mapFile{{Method: "cam", File: "maps_cam.npy"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	classes := slices.Clone(network.Classes)
	classes[0], classes[1] = "b_c", "c" // of a_b and a
	white := cifar10.Sample().Image(0).(*image.NRGBA)
	white.Set(0, 0, color.White)
	w := &explaining{
		subjects: &subjects{files: []string{"a_b", "a"}, describe: func(i int) explained { return explained{Name: []string{"a_b", "a"}[i]} }},
		flags:    &explainFlags{class: "all", draw: true}, journal: j, model: model, manifest: &manifest{Classes: classes},
		slugs: fileNames(classes, maxClassName, " ", "_"),
	}
	method, err := cam.Lookup("cam")
	if err != nil {
		t.Fatal(err)
	}
	w.methods = []cam.Method{method}
	w.chunk = chunk{start: 0, end: 2, which: []int{0, 1}}
	for range 2 {
		w.chunk.seen = append(w.chunk.seen, seen{image: white})
	}
	u := unit{Pictures: make([][]string, 2)}
	if err := w.explain(t.Context(), 0, &u); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, name := range slices.Concat(u.Pictures...) {
		if names[name] || !isFile(filepath.Join(dir, name)) {
			t.Errorf("%s stands for two pictures, or none", name)
		}
		names[name] = true
	}
	if len(names) != 20 || u.Pictures[0][1] != "a_b_c_cam.png" || u.Pictures[1][0] == "a_b_c_cam.png" {
		t.Errorf("pictures %v, want twenty", u.Pictures)
	}
}
