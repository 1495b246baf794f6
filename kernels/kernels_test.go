package kernels

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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

func TestPack(t *testing.T) {
	env := checkout(t)
	pack := func(wantChanged bool) string {
		t.Helper()
		version, changed, err := env.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if changed != wantChanged {
			t.Errorf("Pack changed = %v, want %v", changed, wantChanged)
		}
		if !regexp.MustCompile(`^v0\.0\.0-dev\.h[0-9a-f]{12}$`).MatchString(version) {
			t.Errorf("version %q", version)
		}
		return version
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(env.Root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := pack(true)
	if again := pack(false); again != first {
		t.Errorf("version %s, then %s for the same files", first, again)
	}
	write("camlib/a_test.go", "package camlib // edited\n")
	if got := pack(false); got != first {
		t.Errorf("an edited test changes the version to %s", got)
	}
	write("camlib/a.go", "package camlib // edited\n")
	second := pack(true)
	if second == first {
		t.Errorf("an edit leaves the version at %s", first)
	}

	dir := filepath.Join(env.ProxyDir(), filepath.FromSlash(ModulePath), "@v")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"list", second + ".info", second + ".mod", second + ".zip"}; !slices.Equal(names, want) {
		t.Errorf("proxy tree holds %v, want %v", names, want)
	}
	archive, err := zip.OpenReader(filepath.Join(dir, second+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var files []string
	for _, f := range archive.File {
		files = append(files, strings.TrimPrefix(f.Name, ModulePath+"@"+second+"/"))
	}
	slices.Sort(files)
	want := []string{"LICENSE", "camlib/a.go", "camlib/cam/b.go", "cmd/camlab/main.go", "go.mod", "go.sum", "internal/plugin/plugin.go", "kernels/k.go"}
	if !slices.Equal(files, want) {
		t.Errorf("archive holds %v, want %v", files, want)
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
			if !strings.HasPrefix(path, "PATH="+env.GoFrontDir()+":"+env.Bin("")+":") || !strings.HasSuffix(path, ":${PATH}") {
				t.Errorf("%s does not begin with the kernels' go command, go on with the environment's programs and end in the user's", path)
			}
			if got := offline(vars); !slices.Contains(got, "GOPROXY="+files+",off") {
				t.Errorf("offline %v", got)
			}
		})
	}
}

func TestInstallListUninstall(t *testing.T) {
	env := checkout(t)
	plugins := somePlugins(t, "cpu", "cuda")
	dir := filepath.Join(t.TempDir(), "kernels")
	specs, changed, err := env.Install(dir, false)
	if err != nil || !changed || len(specs) != 3 {
		t.Fatalf("Install = %v, %v, %v, want the 3 kernels, changed", specs, changed, err)
	}
	spec := readSpec(t, dir, XLACPU)
	if spec.Argv[0] != filepath.Join(env.GoFrontDir(), "gonb") || spec.DisplayName != "Go CAM · XLA CPU" || spec.Env[plugin.PathEnv] != plugins || spec.Env["GOMLX_BACKEND"] != "xla:cpu" {
		t.Errorf("kernel.json is %+v", spec)
	}

	if _, changed, err := env.Install(dir, false); err != nil || changed {
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
	specs, changed, err = env.Install(dir, false)
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

func TestUnpackWheel(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range map[string]string{"p/plugin.so": "library", "p-1.dist-info/licenses/LICENSE": "licence", "p/__init__.py": "x"} {
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
	good := pluginWheel{name: "p", version: "1", sha256: hex.EncodeToString(sum[:]), library: "p/plugin.so", flags: []string{"--first", "--second"}}

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
			if data, err := os.ReadFile(filepath.Join(dir, plugin.FlagsFile)); err != nil || string(data) != "--first\n" {
				t.Errorf("flags are %q, %v, want the first until they are measured", data, err)
			}
			if data, err := os.ReadFile(filepath.Join(dir, "LICENSES", "LICENSE")); err != nil || string(data) != "licence" {
				t.Errorf("licence is %q, %v", data, err)
			}
		})
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

func TestPageNeedsNoNetwork(t *testing.T) {
	page := `<script src="https://cdn.example/x.js"></script><script>local()</script><script type="text/x-mathjax-config">MathJax.Hub</script>` +
		`<h1 id="Why-camlab-equation-0-"><a href="#Why-camlab-equation-0-">camlab-equation-0-</a></h1>camlab-equation-7-`
	got := string(putEquations(dropRemoteScripts([]byte(page)), []string{"<math/>"}))
	if want := `<script>local()</script><h1 id="Why-"><a href="#Why-"><math/></a></h1>camlab-equation-7-`; got != want {
		t.Errorf("page is %s\nwant %s", got, want)
	}
}

func TestEquationsFound(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"an $x_i$ inline", "inline x_i"},
		{"$$a\n= b$$", "block a\n= b"},
		{"\\begin{equation}L\\end{equation}", "block \\begin{equation}L\\end{equation}"},
		{"costs $5 and $10", ""},
		{"costs \\$5 and 6$", ""},
		{"code `$x$` and\n```\n$$y$$\n```", ""},
	} {
		var got []string
		for _, m := range mathOrCode.FindAllStringSubmatch(row.text, -1) {
			if latex, display, ok := equation(m); ok {
				got = append(got, display+" "+latex)
			}
		}
		if strings.Join(got, "|") != row.want {
			t.Errorf("%q: equations %q, want %q", row.text, got, row.want)
		}
	}
}
