package kernels

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/plugin"
)

// wheel is the PyPI package that holds the PJRT plugin installed where none
// exists: XLA as released with jaxlib 0.11.2, for x86-64 Linux, glibc 2.27 or
// later. docs/decisions/0005-plugin-from-a-wheel.md compares it with the others.
var wheel = pluginWheel{
	name:     "lammps-jax-pjrt-cpu",
	version:  "0.11.2",
	sha256:   "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
	platform: "linux/amd64",
	library:  "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
	own: []string{
		formerEmitters + " --xla_cpu_use_onednn=true --xla_cpu_experimental_onednn_custom_call=true",
		formerEmitters + " --xla_cpu_experimental_ynn_fusion_type=dot",
		formerEmitters,
	},
	foreign: []string{
		ynnByItself + " --xla_cpu_prefer_vector_width=512",
		formerEmitters + " " + ynnByItself + " --xla_cpu_prefer_vector_width=512",
		"--xla_cpu_prefer_vector_width=512",
	},
}

// formerEmitters has XLA compile fused loops as it did before its new emitters, which take twice
// as long for camlab's own networks and whose code is no faster there.
const formerEmitters = "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"

// ynnByItself has YNN multiply and convolve, and take in nothing of what is around that.
const ynnByItself = "--xla_cpu_experimental_ynn_fusion_type=individual_dot,individual_convolution"

type pluginWheel struct {
	name, version string
	sha256        string // of the .whl file
	platform      string // GOOS/GOARCH
	library       string // path of the plugin inside
	// own and foreign are XLA_FLAGS for camlab's own networks and for networks from files, of
	// which setup measures the fastest and takes the first that is as good (decisions 78 and
	// 80). Under none of foreign does XLA end the process. Results differ by rounding alone.
	own, foreign []string
}

// flagsFile is the text of a [plugin.FlagsFile].
func flagsFile(own, foreign string) []byte { return fmt.Appendf(nil, "%s\n%s\n", own, foreign) }

// stamp changes when what is installed does.
func (w pluginWheel) stamp() string {
	return strings.Join(slices.Concat([]string{w.sha256}, w.own, w.foreign), "|")
}

func (w pluginWheel) String() string { return "PyPI " + w.name + " " + w.version }

// installWheel downloads the wheel with pip, compares its sha256 and puts its
// plugin and licenses into pluginDir.
func (s *setup) installWheel(ctx context.Context) error {
	if here := runtime.GOOS + "/" + runtime.GOARCH; here != wheel.platform {
		return fmt.Errorf("%s is for %s, this is %s", wheel, wheel.platform, here)
	}
	select {
	case <-s.venv:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.say("XLA plugin", "downloading "+wheel.String()+" (63 MB)")
	tmp, err := os.MkdirTemp(s.Dir(), "wheel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := s.exec(ctx, nil, s.Bin("python"), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check",
		"--retries", "2", "--dest", tmp, wheel.name+"=="+wheel.version); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%s: pip downloaded %d wheels, want 1", wheel, len(files))
	}
	if err := wheel.unpack(files[0], s.pluginDir); err != nil {
		return err
	}
	if err := os.RemoveAll(s.stamp("flags")); err != nil { // unpack has written the first
		return err
	}
	return s.setStamp("plugin", wheel.stamp())
}

// unpack checks a wheel's file and writes its plugin, under the name that
// go-xla looks for, and its licenses into dir.
func (w pluginWheel) unpack(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.sha256 {
		return fmt.Errorf("%s: %s has sha256 %s, want %s", w, filepath.Base(file), got, w.sha256)
	}
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", w, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "LICENSES"), 0o755); err != nil {
		return err
	}
	found := false
	for _, entry := range archive.File {
		switch {
		case entry.Name == w.library:
			found = true
			err = extract(entry, filepath.Join(dir, plugin.FileName("cpu")), 0o755)
		case strings.Contains(entry.Name, ".dist-info/licenses/") && !entry.FileInfo().IsDir():
			err = extract(entry, filepath.Join(dir, "LICENSES", path.Base(entry.Name)), 0o644)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", w, entry.Name, err)
		}
	}
	if !found {
		return fmt.Errorf("%s: no %s inside", w, w.library)
	}
	return atomicfile.WriteFile(filepath.Join(dir, plugin.FlagsFile), flagsFile(w.own[0], w.foreign[0]))
}

// extract writes one file of an archive whole or not at all.
func extract(entry *zip.File, path string, mode os.FileMode) error {
	in, err := entry.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	if err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	}); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
