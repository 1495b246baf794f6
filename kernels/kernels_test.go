package kernels

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/plugin"
)

// checkout makes a small module of our path, with an environment in it.
func checkout(t *testing.T) Env {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":                      "module " + ModulePath + "\n\ngo 1.26.0\n",
		"go.sum":                      "example.com/a v1.0.0 h1:x=\nexample.com/a v1.0.0/go.mod h1:y=\n",
		"LICENSE":                     "text",
		"camlib/a.go":                 "package camlib\n",
		"camlib/a_test.go":            "package camlib\n",
		"camlib/testdata/big.bin":     "0123456789",
		"camlib/cam/b.go":             "package cam\n",
		"camlib/.hidden/c.go":         "package hidden\n",
		"cmd/camlab/main.go":          "package main\n",
		"internal/plugin/plugin.go":   "package plugin\n",
		"kernels/k.go":                "package kernels\n",
		"notebooks/01_article.ipynb":  "{}",
		".venv/share/x/unrelated.txt": "x",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Env{Root: root}
}

func TestFindEnv(t *testing.T) {
	env := checkout(t)
	t.Chdir(filepath.Join(env.Root, "camlib", "cam"))
	got, err := FindEnv()
	if err != nil || got != env {
		t.Errorf("FindEnv below the checkout = %v, %v, want %v", got, err, env)
	}
	t.Chdir(t.TempDir())
	if _, err := FindEnv(); err == nil || !strings.Contains(err.Error(), "run camlab inside one") {
		t.Errorf("FindEnv outside any checkout: error %v, want what to do", err)
	}
}

func TestVars(t *testing.T) {
	env := checkout(t)
	t.Setenv("GOMODCACHE", filepath.Join(env.Root, "cache"))
	files := "file://" + env.ProxyDir() + ",file://" + env.Root + "/cache/cache/download"
	for _, row := range []struct{ rule, set, want string }{
		{"flags that decide what is built are left out", "GOFLAGS=-mod=readonly -trimpath -race", "GOFLAGS=-trimpath -mod=mod"},
		{"the user's proxies come last", "GOPROXY=https://proxy.example.com,direct", "GOPROXY=" + files + ",https://proxy.example.com,direct"},
		{"the user's modules without a checksum too", "GONOSUMDB=example.org/mine", "GONOSUMDB=example.com/a," + ModulePath + ",example.org/mine"},
		{"private modules are fetched directly", "GOPRIVATE=example.org/mine", "GONOPROXY=example.org/mine"},
		{"ours are not, nor does the public proxy hear of theirs", "GOPRIVATE=github.com/*,example.org/mine", "GONOPROXY=example.org/mine;GOPROXY=" + files + ",direct"},
		{"their own proxy may", "GONOPROXY=* GOPROXY=https://p.example,direct", "GONOPROXY=none;GOPROXY=" + files + ",https://p.example,direct"},
		{"nothing at all may", "GONOPROXY=* GOPROXY=off", "GONOPROXY=none;GOPROXY=" + files + ",off,direct"},
		{"how to build is settled", "GOOS=windows GOWORK=/w CC=false", "GOOS=;GOWORK=off;CC=;GOENV=off;GOMODCACHE=" + env.Root + "/cache"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			for _, name := range []string{"GOFLAGS", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GONOSUMDB"} {
				t.Setenv(name, "")
			}
			name, value, _ := strings.Cut(row.set, "=")
			if name != "GOFLAGS" {
				for _, s := range strings.Fields(row.set) {
					name, value, _ := strings.Cut(s, "=")
					t.Setenv(name, value)
				}
			} else {
				t.Setenv(name, value)
			}
			vars, err := env.Vars()
			if err != nil {
				t.Fatal(err)
			}
			for want := range strings.SplitSeq(row.want, ";") {
				if !slices.Contains(vars, want) {
					t.Errorf("no %s in\n%s", want, strings.Join(vars, "\n"))
				}
			}
			path := vars[len(vars)-1]
			if !strings.HasPrefix(path, "PATH="+env.KernelBin("")+":"+env.Bin("")+":") || !strings.HasSuffix(path, ":${PATH}") {
				t.Errorf("%s does not begin with the kernels' go command, go on with the environment's programs and end in the user's", path)
			}
		})
	}
}

func TestInstallListUninstall(t *testing.T) {
	env := checkout(t)
	plugins := somePlugins(t, "cpu", "cuda")
	dir := filepath.Join(t.TempDir(), "kernels")
	specs, changed, err := env.Install(dir, Plain)
	if err != nil || !changed || len(specs) != 3 {
		t.Fatalf("Install = %v, %v, %v, want the 3 kernels, changed", specs, changed, err)
	}
	spec := readSpec(t, dir, XLACPU)
	if spec.Argv[0] != env.KernelBin("gonb") || spec.DisplayName != "Go CAM · XLA CPU" || spec.Env[plugin.PathEnv] != plugins || spec.Env["GOMLX_BACKEND"] != "xla:cpu" {
		t.Errorf("kernel.json is %+v", spec)
	}

	if _, changed, err := env.Install(dir, Plain); err != nil || changed {
		t.Errorf("a second Install: changed %v, %v, want nothing changed", changed, err)
	}
	if err := os.WriteFile(filepath.Join(dir, PureGo, "kernel.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(plugins, plugin.FileName("cuda"))); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "python3")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	specs, changed, err = env.Install(dir, Plain)
	if err != nil || !changed || len(specs) != 2 {
		t.Errorf("Install over a broken kernel and a plugin gone = %v, %v, %v, want 2 kernels, changed", specs, changed, err)
	}
	listed, err := List(dir, "/nonexistent")
	if err != nil {
		t.Fatal(err)
	}
	want := []Spec{{PureGo, "Go CAM · pure Go", filepath.Join(dir, PureGo)}, {XLACPU, "Go CAM · XLA CPU", filepath.Join(dir, XLACPU)}}
	if !slices.Equal(listed, want) {
		t.Errorf("List = %v, want %v", listed, want)
	}

	gone, err := Uninstall(dir)
	if err != nil || len(gone) != 2 {
		t.Errorf("Uninstall = %v, %v, want the 2 kernels", gone, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "python3" {
		t.Errorf("Uninstall left %v, %v, want the kernel of others only", left, err)
	}
}

func TestUserKernelDir(t *testing.T) {
	t.Setenv("JUPYTER_DATA_DIR", "/data")
	if dir, err := UserKernelDir(); err != nil || dir != "/data/kernels" {
		t.Errorf("UserKernelDir = %q, %v, want /data/kernels", dir, err)
	}
}
