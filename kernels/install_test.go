package kernels

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels/compile"
)

// somePlugins leaves only the named devices with a plugin.
func somePlugins(t *testing.T, devices ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv(plugin.PathEnv, dir)
	t.Setenv("HOME", t.TempDir())
	for _, device := range devices {
		write(t, filepath.Join(dir, plugin.FileName(device)), "")
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readSpec(t *testing.T, dir, name string) kernelJSON {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var k kernelJSON
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestInstallReplacesWhateverIsThere(t *testing.T) {
	env := checkout(t)
	somePlugins(t, "cpu")
	dir := filepath.Join(t.TempDir(), "kernels")
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "keep"), "")
	write(t, filepath.Join(dir, XLACPU, "kernel.json"), "{broken")
	write(t, filepath.Join(dir, XLACPU, "kernel.js"), "of an older version")
	write(t, filepath.Join(dir, XLACPU, "logo-svg.svg", "x"), "a folder")
	if err := os.Symlink(elsewhere, filepath.Join(dir, PureGo)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, prefix+"retired", "kernel.json"), `{"metadata": {"camlab": {}}}`)
	write(t, filepath.Join(dir, prefix+"theirs", "kernel.json"), `{"display_name": "not ours"}`)
	if _, changed, err := env.Install(dir, Plain); err != nil || !changed {
		t.Fatalf("Install: changed %v, %v", changed, err)
	}
	if got, want := names(t, dir), []string{PureGo, prefix + "theirs", XLACPU}; !slices.Equal(got, want) {
		t.Errorf("kernels %v, want %v", got, want)
	}
	if got, want := names(t, filepath.Join(dir, XLACPU)), []string{"kernel.json", "logo-32x32.png", "logo-64x64.png"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	if got := names(t, elsewhere); !slices.Equal(got, []string{"keep"}) {
		t.Errorf("what the link pointed at holds %v, want it untouched", got)
	}
	if k := readSpec(t, dir, XLACPU); k.DisplayName != "Go CAM · XLA CPU" || k.Metadata.Camlab == nil {
		t.Errorf("kernel.json is %+v", k)
	}
	if _, changed, err := env.Install(dir, Plain); err != nil || changed {
		t.Errorf("a second Install: changed %v, %v, want nothing changed", changed, err)
	}
}

func TestUninstallLeavesNothingOfOurs(t *testing.T) {
	env := checkout(t)
	somePlugins(t, "cpu")
	top := t.TempDir()
	dir := PrefixKernelDir(filepath.Join(top, "new"))
	for _, f := range []Flavor{Plain, Dev, GoNB} { // the second finds the folders there
		if _, _, err := env.Install(dir, f); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := Uninstall(dir); err != nil || len(gone) != 6 {
		t.Errorf("Uninstall = %v, %v, want two kernels of each flavor", gone, err)
	}
	if left := names(t, top); len(left) != 0 {
		t.Errorf("left %v", left)
	}

	if err := os.MkdirAll(dir, 0o755); err != nil { // a folder of somebody else's, empty
		t.Fatal(err)
	}
	if _, _, err := env.Install(dir, Plain); err != nil {
		t.Fatal(err)
	}
	if _, err := Uninstall(dir); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("left %v in a folder that was there before", left)
	}

	other := PrefixKernelDir(filepath.Join(top, "other"))
	if _, _, err := env.Install(other, Plain); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(other, "python3", "kernel.json"), "{}")
	write(t, filepath.Join(other, prefix+"theirs", "kernel.json"), "{}")
	if _, err := Uninstall(other); err != nil {
		t.Fatal(err)
	}
	if left := names(t, other); !slices.Equal(left, []string{prefix + "theirs", "python3"}) {
		t.Errorf("left %v, want other people's kernels", left)
	}
}

func TestInstallDev(t *testing.T) {
	env := checkout(t)
	somePlugins(t, "cpu")
	dir := t.TempDir()
	if _, _, err := env.Install(dir, Plain); err != nil {
		t.Fatal(err)
	}
	specs, changed, err := env.Install(dir, Dev)
	if err != nil || !changed {
		t.Fatalf("Install dev: changed %v, %v", changed, err)
	}
	want := []Spec{{"camlab-xla-cpu-dev", "Go CAM · XLA CPU (dev)", filepath.Join(dir, "camlab-xla-cpu-dev")}, {"camlab-go-dev", "Go CAM · pure Go (dev)", filepath.Join(dir, "camlab-go-dev")}}
	if !slices.Equal(specs, want) {
		t.Errorf("dev kernels %v, want %v", specs, want)
	}
	if got := readSpec(t, dir, "camlab-xla-cpu-dev").Env[devEnv]; got != env.Root {
		t.Errorf("%s=%s, want %s", devEnv, got, env.Root)
	}
	if got, ok := readSpec(t, dir, XLACPU).Env[devEnv]; ok {
		t.Errorf("the other kernel has %s=%s too", devEnv, got)
	}
	if _, changed, err := env.Install(dir, Plain); err != nil || changed {
		t.Errorf("Install after Install dev: changed %v, %v, want both to stay", changed, err)
	}
}

func TestUnavailable(t *testing.T) {
	somePlugins(t, "cpu")
	missing, err := Unavailable()
	if err != nil || len(missing) != 1 || missing[0].Name != XLACUDA {
		t.Fatalf("missing %v, %v, want the CUDA kernel", missing, err)
	}
	want := "Go CAM · XLA CUDA: no CUDA plugin; on a machine with an NVIDIA GPU link one into a folder of PJRT_PLUGIN_LIBRARY_PATH, as docs/troubleshooting.md says, then run `camlab kernels install`"
	if got := missing[0].String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	says, err := os.ReadFile(filepath.Join("..", "docs", "troubleshooting.md"))
	if err != nil || !strings.Contains(string(says), "### The CUDA plugin is missing\n") {
		t.Errorf("docs/troubleshooting.md does not say it: %v", err)
	}
	somePlugins(t, "cpu", "cuda")
	if missing, err := Unavailable(); err != nil || len(missing) != 0 {
		t.Errorf("with both plugins missing %v, %v", missing, err)
	}
}

func TestSysPrefixAsksThePythonInUse(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	env := t.TempDir()
	if out, err := exec.Command(python, "-m", "venv", "--without-pip", env).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := os.Getenv("PATH")
	for _, row := range []struct{ rule, virtual, conda, path, want string }{
		{"VIRTUAL_ENV first", env, "/nonexistent", path, env},
		{"then CONDA_PREFIX", "", env, path, env},
		{"then the first python3 in PATH", "", "", filepath.Join(env, "bin") + ":" + path, env},
		{"an environment that is gone is an error", filepath.Join(env, "gone"), "", path, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			t.Setenv("VIRTUAL_ENV", row.virtual)
			t.Setenv("CONDA_PREFIX", row.conda)
			t.Setenv("PATH", row.path)
			got, err := SysPrefix()
			if got != row.want || (err != nil) != (row.want == "") {
				t.Errorf("SysPrefix = %q, %v, want %q", got, err, row.want)
			}
			if err != nil && !strings.Contains(err.Error(), "activate an environment, or name its folder with --prefix") {
				t.Errorf("error %v, want what to do", err)
			}
		})
	}
}

// TestNotebookPlacesAreJupyters compares Places with what Jupyter itself says.
func TestNotebookPlacesAreJupyters(t *testing.T) {
	env := environment(t)
	for _, vars := range [][]string{
		{"", "", ""},
		{"/a:/b/", "/data", ""},
		{"", "/data", "0"},
	} {
		t.Run(strings.Join(vars, " "), func(t *testing.T) {
			for i, name := range []string{"JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_PREFER_ENV_PATH"} {
				t.Setenv(name, vars[i])
				if vars[i] == "" {
					os.Unsetenv(name)
				}
			}
			places, err := env.Places()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range places {
				got = append(got, filepath.Dir(p.Dir))
			}
			out, err := exec.Command(env.Bin("jupyter"), "--paths", "--json").Output()
			if err != nil {
				t.Fatal(err)
			}
			var want struct{ Data []string }
			if err := json.Unmarshal(out, &want); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want.Data) {
				t.Errorf("places %v, want %v", got, want.Data)
			}
		})
	}
}

// TestInstallByHowCellsRun: the program that a kernelspec starts.
func TestInstallByHowCellsRun(t *testing.T) {
	env := checkout(t)
	somePlugins(t)
	dir := t.TempDir()
	argv := func(f Flavor) string {
		t.Helper()
		specs, _, err := env.Install(dir, f)
		if err != nil || !slices.ContainsFunc(specs, func(s Spec) bool { return s.Name == PureGo+string(f) }) {
			t.Fatalf("Install of %q = %v, %v", f, specs, err)
		}
		return strings.Join(readSpec(t, dir, PureGo+string(f)).Argv, " ")
	}
	gonb := env.KernelBin("gonb") + " --kernel {connection_file}"
	for _, f := range []Flavor{Plain, Dev, GoNB} {
		if got := argv(f); got != gonb {
			t.Errorf("where cells do not stay %q starts %s, want %s", f, got, gonb)
		}
	}
	write(t, filepath.Join(env.CellsDir(), compile.Ready), "{}")
	stay := env.KernelBin(kernelProgram) + " --kernel {connection_file} --cells " + env.CellsDir()
	for f, want := range map[Flavor]string{Plain: stay, Dev: stay + "-dev --checkout " + env.Root, GoNB: gonb} {
		if got := argv(f); got != want {
			t.Errorf("where cells stay %q starts %s, want %s", f, got, want)
		}
	}
}
