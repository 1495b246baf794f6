package kernels

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// environment returns the checkout's environment. The tests that run kernels
// are run by `make test-notebooks`, which makes it first.
func environment(t *testing.T) Env {
	t.Helper()
	if os.Getenv("CAMLAB_TEST_NOTEBOOKS") == "" {
		t.Skip("runs kernels for minutes: `make test-notebooks`, or set CAMLAB_TEST_NOTEBOOKS=1 after `camlab setup`")
	}
	env, err := FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// session is a running kernel, driven through testdata/drive.py and
// jupyter_client as JupyterLab drives it.
type session struct {
	t    *testing.T
	send io.Writer
	read *bufio.Reader
}

// answer is what drive.py answers; which fields it fills depends on the call.
type answer struct {
	Error   string
	ID      string
	Cell    cellOutput
	Done    bool
	Alive   bool
	Order   []string
	Matches []string
	Status  string
	Text    string
	Plain   string
	Seconds float64
	Info    struct {
		Language struct {
			Name, Mimetype string
		} `json:"language_info"`
	}
}

// cellOutput is everything that a cell has shown.
type cellOutput struct {
	Stdout, Stderr, Shown string
	Messages, Bytes       int
	Status                string
}

// startKernel starts a kernel in an empty folder and ends it with the test.
// The extra variables are the kernel's.
func startKernel(t *testing.T, env Env, name string, vars ...string) *session {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "drive.py"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(env.Bin("python"), script)
	cmd.Env = append(append(os.Environ(), "JUPYTER_PREFER_ENV_PATH=1"), vars...)
	cmd.Stderr = &tailWriter{}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{t, in, bufio.NewReader(out)}
	t.Cleanup(func() {
		s.ask("shutdown", nil)
		in.Close()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("drive.py: %v\n%s", err, cmd.Stderr)
		}
	})
	s.must("start", map[string]any{"kernel": name, "dir": t.TempDir()})
	return s
}

// tailWriter keeps the end of what is written.
type tailWriter struct{ text []byte }

func (w *tailWriter) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-4000):]
	return len(p), nil
}

func (w *tailWriter) String() string { return string(w.text) }

func (s *session) ask(op string, args map[string]any) answer {
	s.t.Helper()
	request := map[string]any{"op": op}
	for k, v := range args {
		request[k] = v
	}
	line, err := json.Marshal(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.send.Write(append(line, '\n')); err != nil {
		s.t.Fatalf("%s: %v", op, err)
	}
	reply, err := s.read.ReadBytes('\n')
	if err != nil {
		s.t.Fatalf("%s: %v", op, err)
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		s.t.Fatalf("%s: %v in %s", op, err, reply)
	}
	return a
}

func (s *session) must(op string, args map[string]any) answer {
	s.t.Helper()
	a := s.ask(op, args)
	if a.Error != "" {
		s.t.Fatalf("%s: %s", op, a.Error)
	}
	return a
}

// begin sends a cell and returns its identity.
func (s *session) begin(code string) string {
	s.t.Helper()
	return s.must("execute", map[string]any{"code": code}).ID
}

// patience is how long one wait may take before the test is given up. It decides
// nothing else: every wait ends by what it waits for.
const patience = 20 * time.Minute

// end waits until a cell is done.
func (s *session) end(id string) answer {
	s.t.Helper()
	a := s.must("wait", map[string]any{"id": id, "timeout": patience.Seconds()})
	if !a.Done {
		s.t.Fatalf("the cell still runs after %s; so far %+v", patience, short(a.Cell))
	}
	return a
}

// run runs a cell to its end.
func (s *session) run(code string) cellOutput {
	s.t.Helper()
	return s.end(s.begin(code)).Cell
}

// until waits until a cell has shown a text.
func (s *session) until(id, text string) {
	s.t.Helper()
	if a := s.must("until", map[string]any{"id": id, "text": text, "timeout": patience.Seconds()}); !a.Done {
		s.t.Fatalf("no %q; so far %+v", text, short(a.Cell))
	}
}

// alive runs a cell that must still work.
func (s *session) alive() {
	s.t.Helper()
	if got := s.run("fmt.Print(6 * 7)"); got.Stdout != "42" {
		s.t.Fatalf("the kernel no longer computes 6 * 7: %+v", got)
	}
}

// short cuts an output to what a person wants to read in a test's log.
func short(c cellOutput) cellOutput {
	for _, s := range []*string{&c.Stdout, &c.Stderr, &c.Shown} {
		if len(*s) > 2000 {
			*s = (*s)[:1000] + " … " + (*s)[len(*s)-1000:]
		}
	}
	return c
}

// cursor returns the code without its mark ‸ and where that was, counted as
// Jupyter does.
func cursor(code string) map[string]any {
	before, after, _ := strings.Cut(code, "‸")
	return map[string]any{"code": before + after, "cursor": len([]rune(before))}
}

// TestNotebookDevKernelSeesEdits installs a developer's kernel of a copy of this
// checkout and edits the copy between two starts of the kernel.
func TestNotebookDevKernelSeesEdits(t *testing.T) {
	env := environment(t)
	root := t.TempDir()
	files, _, err := env.packFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		write(t, filepath.Join(root, filepath.FromSlash(f.Path())), string(f.(memFile).data))
	}
	jupyter := t.TempDir()
	vars := append(os.Environ(), "JUPYTER_DATA_DIR="+jupyter)
	// The programs are this environment's, camlib is the copy.
	if err := os.Symlink(env.Dir(), filepath.Join(root, ".venv")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command(env.Bin("camlab"), "kernels", "install", "--dev", "--user")
	install.Dir, install.Env = root, vars
	if out, err := install.CombinedOutput(); err != nil || !strings.Contains(string(out), PureGo+"-dev ") {
		t.Fatalf("%s: %v\n%s", install, err, out)
	}
	s := startKernel(t, env, PureGo+"-dev", "JUPYTER_DATA_DIR="+jupyter)
	if got := s.run("cifar10.Edited()"); got.Status != "error" || !strings.Contains(got.Stderr, "undefined: cifar10.Edited") {
		t.Fatalf("before the edit: %+v", short(got))
	}
	file := filepath.Join(root, "camlib", "cifar10", "edited.go")
	for _, word := range []string{"first", "second"} {
		write(t, file, "package cifar10\n\nfunc Edited() string { return \""+word+"\" }\n")
		s.must("restart", nil)
		if got := s.run("fmt.Print(cifar10.Edited())"); got.Stdout != word {
			t.Errorf("after the edit to %q: %+v", word, short(got))
		}
	}
}

// TestNotebookCompletionAndHelp asks for names and doc comments as JupyterLab
// does on Tab and in its contextual help: in the very first cell of a fresh
// kernel, none of which has been run, and of variables of earlier cells.
func TestNotebookCompletionAndHelp(t *testing.T) {
	env := environment(t)
	s := startKernel(t, env, PureGo)
	s.help("")
	if got := s.run("model := Must(camlib.Article())\nfmt.Print(cam.GradCAM{}.Spec().Name)"); got.Stdout != "gradcam" {
		t.Fatalf("the cell with a model: %+v", short(got))
	}
	s.help("after a cell")
	if a := s.must("complete", cursor("model.‸")); !slices.Contains(a.Matches, "Explain") || slices.Contains(a.Matches, "AddressLabel") {
		t.Errorf("model. has the names %v", a.Matches)
	}
	if a := s.must("complete", cursor("model.Explain(model.‸")); !slices.Contains(a.Matches, "Backend") {
		t.Errorf("inside parentheses model. has the names %v", a.Matches)
	}
	if a := s.must("inspect", cursor("model.Explain(‸)")); !strings.Contains(a.Text, "func (m *Model) Explain(method, class string, imgs ...image.Image)") {
		t.Errorf("between the parentheses: %q", a.Text)
	}
	for _, row := range []struct{ code, want string }{
		{"?cam.GradCAM", "arXiv:1610.02391"},
		{"??camlib.Describe", "return backend.Describe(b)"},
	} {
		if got := s.run(row.code); !strings.Contains(got.Shown, row.want) {
			t.Errorf("%s shows %+v, want %q", row.code, short(got), row.want)
		}
	}
}

// help asks what a newcomer asks.
func (s *session) help(when string) {
	s.t.Helper()
	request := func(op, code string, good func(answer) bool) {
		s.t.Helper()
		a := s.must(op, cursor(code))
		s.t.Logf("%s %s of %q: after %.3f s", when, op, code, a.Seconds)
		if !good(a) {
			s.t.Errorf("%s %s of %q: %v %s%s", when, op, code, a.Matches, a.Text, a.Plain)
		}
	}
	has := func(names ...string) func(answer) bool {
		return func(a answer) bool {
			return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(a.Matches, n) })
		}
	}
	says := func(texts ...string) func(answer) bool {
		return func(a answer) bool {
			return !slices.ContainsFunc(texts, func(w string) bool { return !strings.Contains(a.Text, w) })
		}
	}
	request("complete", "cam.‸", has("GradCAM", "New", "Explainer", "Upsample"))
	request("complete", "func f() {\n\tcam.Gr‸\n}", has("GradCAM"))
	request("complete", "x := cam.Gr‸", has("GradCAM"))
	request("complete", "m, _ := camlib.Article()\nm.‸", has("Explain", "Explainer"))
	request("complete", "fmt.Println(strings.ToU‸)", has("ToUpper"))
	request("inspect", "fmt.Println(cam.Grad‸CAM)", says("GradCAM struct", "arXiv:1610.02391"))
	request("inspect", "var e *cam.Explainer\nfmt.Println(e.Class‸Maps)", says("func (e *Explainer) ClassMaps("))
	request("inspect", "model, _ := camlib.Article()\nfmt.Println(model.Expl‸ain)", says("func (m *Model) Explain(", "makes one map for each"))
}

// TestNotebookLanguage holds what JupyterLab chooses the highlighting by.
func TestNotebookLanguage(t *testing.T) {
	s := startKernel(t, environment(t), PureGo)
	if got := s.must("info", nil).Info.Language; got.Name != "go" || got.Mimetype != "text/x-go" {
		t.Errorf("language %+v, want go and text/x-go", got)
	}
}
