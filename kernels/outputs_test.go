package kernels

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestLabExtensionIsInstalled holds the extension to what JupyterLab's server reads:
// a package.json that names a script which is there.
func TestLabExtensionIsInstalled(t *testing.T) {
	e := Env{Root: t.TempDir()}
	for _, want := range []bool{true, false} {
		if changed, err := e.installLabExtension(); err != nil || changed != want {
			t.Errorf("changed %v, %v, want %v", changed, err, want)
		}
	}
	dir := filepath.Join(e.Dir(), "share", "jupyter", "labextensions", "camlab-outputs")
	data, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Name       string
		Jupyterlab struct {
			Build struct{ Load, Extension string } `json:"_build"`
		}
	}
	if err := json.Unmarshal(data, &p); err != nil || p.Name != filepath.Base(dir) || p.Jupyterlab.Build.Extension != "./extension" {
		t.Errorf("%+v, %v, want the folder's name and ./extension", p, err)
	}
	settings, err := os.ReadFile(filepath.Join(e.Dir(), "share", "jupyter", "lab", "settings", "overrides.json"))
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]map[string]any
	if err := json.Unmarshal(settings, &defaults); err != nil || defaults["@jupyterlab/apputils-extension:notification"]["fetchNews"] != "false" {
		t.Errorf("%v, %v, want no news", defaults, err)
	}
	script := filepath.Join(dir, filepath.FromSlash(p.Jupyterlab.Build.Load))
	if err := os.WriteFile(script, []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed, err := e.installLabExtension(); err != nil || !changed {
		t.Errorf("changed %v, %v after damage, want it mended", changed, err)
	}
	if mended, err := os.ReadFile(script); err != nil || len(mended) < 100 {
		t.Errorf("script of %d bytes, %v", len(mended), err)
	}
}

func TestStrip(t *testing.T) {
	got, err := strip([]byte(`{"cells":[{"cell_type":"code","metadata":{"execution":{"t":1},"tags":["a"]},"source":"a < b","outputs":[
		{"output_type":"stream","name":"stdout","text":["1\n","2"]},{"output_type":"stream","name":"stdout","text":"3\n4"},
		{"output_type":"stream","name":"stderr","text":"e"},{"output_type":"display_data"},{"output_type":"stream","name":"stderr","text":"e"}]}],
		"metadata":{"kernelspec":{"name":"k"},"widgets":{},"language_info":{"name":"go","pygments_lexer":"","nbconvert_exporter":""}},"nbformat":4}`))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, got); err != nil {
		t.Fatal(err)
	}
	want := `{"cells":[{"cell_type":"code","metadata":{"tags":["a"]},"outputs":[{"name":"stdout","output_type":"stream","text":["1\n","23\n","4"]},` +
		`{"name":"stderr","output_type":"stream","text":["e"]},{"output_type":"display_data"},{"name":"stderr","output_type":"stream","text":["e"]}],"source":"a < b"}],"metadata":{"kernelspec":{"name":"k"},"language_info":{"codemirror_mode":"go","name":"go","pygments_lexer":"go"}},"nbformat":4}`
	if b.String() != want {
		t.Errorf("strip = %s\nwant %s", b.String(), want)
	}
}
