package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/goenv"
	"github.com/camlab-go/camlab/internal/outdir"
)

// RunOptions says how RunNotebook executes a notebook and what it writes.
type RunOptions struct {
	Out     string // folder for everything written; required unless InPlace is all that is wanted
	Kernel  string // kernelspec; empty is XLACPU where installed, else PureGo
	Quick   bool   // sets CAMLAB_QUICK=1 for the cells
	HTML    bool   // also a page that shows pictures and equations with no network
	PNG     bool   // also every picture as a file
	InPlace bool   // also the notebook itself, if it passes, with its metadata stripped
	// Progress gets a line now and then.
	Progress func(line string)
}

// RunReport lists what RunNotebook wrote.
type RunReport struct {
	Kernel   string   `json:"kernel"`
	Notebook string   `json:"notebook"`
	HTML     string   `json:"html,omitempty"`
	Pictures []string `json:"pictures,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// RunNotebook executes a notebook from top to bottom in a fresh kernel, in the
// notebook's own folder, and fails if the outcome does not pass CheckNotebook.
// The executed notebook, the page and the pictures are written also then, to be
// looked at; the notebook in place is not.
func (e Env) RunNotebook(ctx context.Context, file string, opts RunOptions) (*RunReport, error) {
	report, err := e.runNotebook(ctx, file, opts)
	if err != nil {
		return report, fmt.Errorf("kernels: %s: %w", filepath.Base(file), err)
	}
	return report, nil
}

func (e Env) runNotebook(ctx context.Context, file string, opts RunOptions) (*RunReport, error) {
	start := time.Now()
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	kernel, err := e.chooseKernel(opts.Kernel)
	if err != nil {
		return nil, err
	}
	report := &RunReport{Kernel: kernel}
	tmp, err := e.mkdirTemp("camlab-notebook-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := opts.Out
	if out == "" {
		out = tmp
	}
	name := filepath.Base(file)
	if err := ready(out, file, opts); err != nil {
		return nil, err
	}
	opts.Progress(fmt.Sprintf("executing %s on %s", name, kernel))
	stop := every(10*time.Second, func(d time.Duration) { opts.Progress(fmt.Sprintf("executing %s, %.0f s", name, d.Seconds())) })
	executed, err := e.execute(ctx, file, kernel, tmp, opts.Quick)
	stop()
	if err != nil {
		return report, err
	}
	report.Notebook = filepath.Join(out, name)
	stripped, err := strip(executed)
	if err != nil {
		return report, err
	}
	if err := os.WriteFile(report.Notebook, stripped, 0o644); err != nil {
		return report, err
	}
	if opts.HTML {
		opts.Progress("writing the page")
		if report.HTML, err = e.writeHTML(ctx, stripped, strings.TrimSuffix(name, ".ipynb"), out, tmp); err != nil {
			return report, err
		}
	}
	if opts.PNG {
		if report.Pictures, err = writePictures(stripped, strings.TrimSuffix(name, ".ipynb"), out); err != nil {
			return report, err
		}
	}
	report.Seconds = time.Since(start).Seconds()
	if err := CheckNotebook(stripped); err != nil {
		return report, err
	}
	if opts.InPlace {
		return report, atomicfile.WriteFile(file, stripped)
	}
	return report, nil
}

// ready finds out before the notebook runs whether its results can be written.
func ready(out, file string, opts RunOptions) error {
	name := filepath.Base(file)
	names := []string{name}
	if opts.HTML {
		names = append(names, strings.TrimSuffix(name, ".ipynb")+".html")
	}
	if err := outdir.Ready(out, names...); err != nil {
		return err
	}
	if opts.InPlace {
		if err := outdir.Ready(filepath.Dir(file)); err != nil {
			return fmt.Errorf("in place: %w", err)
		}
	}
	return nil
}

func (e Env) chooseKernel(name string) (string, error) {
	candidates := []string{XLACPU, PureGo}
	if name != "" {
		candidates = []string{name}
	}
	for _, c := range candidates {
		if _, err := os.Stat(filepath.Join(e.KernelDir(), c, "kernel.json")); err == nil {
			return c, nil
		}
	}
	return "", fmt.Errorf("no kernel %s in %s; run `camlab setup`", strings.Join(candidates, " or "), e.KernelDir())
}

// execute runs the notebook and returns it with its outputs. Cells after a
// failed one are run too; CheckNotebook finds the failure.
func (e Env) execute(ctx context.Context, file, kernel, tmp string, quick bool) ([]byte, error) {
	env := []string{
		"CAMLAB_NO_BROWSER=1", // widgets need not wait for one
		"JUPYTER_RUNTIME_DIR=" + filepath.Join(tmp, "jupyter"), // otherwise in the home folder, which may not be writable
	}
	if quick {
		env = append(env, "CAMLAB_QUICK=1")
	}
	err := e.nbconvert(ctx, env, "--to", "notebook", "--execute", "--allow-errors", "--output-dir", tmp, "--output", "executed",
		"--ExecutePreprocessor.kernel_name="+kernel, "--ExecutePreprocessor.startup_timeout=120", file)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(tmp, "executed.ipynb"))
}

func (e Env) nbconvert(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, e.Bin("jupyter"), append([]string{"nbconvert"}, args...)...)
	// Kernels of the same name elsewhere must not win.
	cmd.Env = append(append(goenv.Environ(e.spare()), "JUPYTER_PREFER_ENV_PATH=1"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no Jupyter in %s; run `camlab setup`", e.Dir())
		}
		return fmt.Errorf("nbconvert: %w: %s", err, tail(string(out)))
	}
	return nil
}

// strip takes out of an executed notebook what differs between two runs or
// two machines: all metadata but the kernelspec, the language and the cells'
// tags, and where GoNB cut a text that a cell printed. GoNB leaves the
// highlighters' names empty; they are filled in.
func strip(data []byte) ([]byte, error) {
	var nb map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&nb); err != nil {
		return nil, err
	}
	meta := keep(nb["metadata"], "kernelspec", "language_info")
	if info, ok := meta["language_info"].(map[string]any); ok && info["name"] == "go" {
		info["codemirror_mode"], info["pygments_lexer"] = "go", "go"
		delete(info, "nbconvert_exporter")
	}
	nb["metadata"] = meta
	cells, _ := nb["cells"].([]any) // a notebook without cells is left to CheckNotebook
	for _, c := range cells {
		if cell, ok := c.(map[string]any); ok {
			cell["metadata"] = keep(cell["metadata"], "tags")
			if outputs, ok := cell["outputs"].([]any); ok {
				cell["outputs"] = joinStreams(outputs)
			}
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ") // as nbformat writes it
	err := enc.Encode(nb)
	return buf.Bytes(), err
}

// joinStreams makes one output of all that a cell printed between two pictures:
// two of them are shown as two paragraphs, also when they are parts of one line.
func joinStreams(outputs []any) []any {
	joined := []any{} // not null where there are none
	var last map[string]any
	for _, o := range outputs {
		out, _ := o.(map[string]any)
		if last != nil && out["output_type"] == "stream" && last["output_type"] == "stream" && out["name"] == last["name"] {
			last["text"] = text(last["text"]) + text(out["text"])
			continue
		}
		joined, last = append(joined, o), out
	}
	for _, o := range joined {
		if out, _ := o.(map[string]any); out["output_type"] == "stream" {
			out["text"] = slices.AppendSeq([]string{}, strings.Lines(text(out["text"])))
		}
	}
	return joined
}

// text returns a text that nbformat may have split into lines.
func text(v any) string {
	data, _ := json.Marshal(v) // it was JSON before
	var t multiline
	_ = t.UnmarshalJSON(data) // takes any JSON
	return string(t)
}

func keep(meta any, names ...string) map[string]any {
	kept := map[string]any{}
	if m, ok := meta.(map[string]any); ok {
		for _, name := range names {
			if v, ok := m[name]; ok {
				kept[name] = v
			}
		}
	}
	return kept
}

// every calls f at intervals with the time since it was started, until stopped.
func every(interval time.Duration, f func(time.Duration)) (stop func()) {
	start, done := time.Now(), make(chan struct{})
	ticker := time.NewTicker(interval)
	go func() {
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				f(time.Since(start))
			}
		}
	}()
	return func() { close(done) }
}
