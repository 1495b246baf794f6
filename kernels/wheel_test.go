package kernels

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/camlab-go/camlab/internal/plugin"
)

func TestUnpackWheel(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range map[string]string{"p/plugin.so": "library", "p-1.dist-info/licenses/LICENSE": "license", "p/__init__.py": "x"} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "p-1.whl")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(buf.Bytes())
	good := pluginWheel{name: "p", version: "1", sha256: hex.EncodeToString(sum[:]), library: "p/plugin.so", own: []string{"--first", "--second"}, foreign: []string{"--third", "--fourth"}}

	for _, row := range []struct {
		rule   string
		change func(*pluginWheel)
		want   string
	}{
		{"another file of the same name is refused", func(w *pluginWheel) { w.sha256 = "00" }, "PyPI p 1: p-1.whl has sha256 " + good.sha256 + ", want 00"},
		{"a wheel without the plugin is refused", func(w *pluginWheel) { w.library = "p/other.so" }, "PyPI p 1: no p/other.so inside"},
		{"the right one is unpacked", func(*pluginWheel) {}, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			wheel, dir := good, t.TempDir()
			row.change(&wheel)
			err := wheel.unpack(file, dir)
			path := filepath.Join(dir, plugin.FileName("cpu"))
			if row.want != "" {
				if err == nil || err.Error() != row.want {
					t.Errorf("unpack: %v, want %s", err, row.want)
				}
				if _, err := os.Stat(path); err == nil {
					t.Error("left a plugin behind")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "library" {
				t.Errorf("plugin is %q, %v", data, err)
			}
			if data, err := os.ReadFile(filepath.Join(dir, plugin.FlagsFile)); err != nil || string(data) != "--first\n--third\n" {
				t.Errorf("flags are %q, %v, want the first until they are measured", data, err)
			}
			if data, err := os.ReadFile(filepath.Join(dir, "LICENSES", "LICENSE")); err != nil || string(data) != "license" {
				t.Errorf("license is %q, %v", data, err)
			}
		})
	}
}
