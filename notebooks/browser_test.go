package notebooks_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/camlab-go/camlab/kernels"
)

// patience is how long one wait may take before the test is given up. It decides
// nothing else: every wait ends by what it waits for, and a notebook in quick mode
// takes a minute or two on two idle cores, ten on busy ones.
const patience = 30 * time.Minute

// browser returns the path of a Chromium or Chrome.
func browser(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}
	if chosen := os.Getenv("CHROME"); chosen != "" {
		path, err := exec.LookPath(chosen)
		if err != nil {
			t.Fatalf("CHROME=%s: %v", chosen, err)
		}
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("needs a browser: install Chromium or Chrome, or name one in CHROME")
	return ""
}

// settings are the user settings of the JupyterLab under test: every cell in
// the document, no pop-ups.
var settings = map[string]string{
	"notebook-extension/tracker":        `{"windowingMode": "none"}`,
	"apputils-extension/notification":   `{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}`,
	"docmanager-extension/plugin":       `{"autosave": false}`,
	"completer-extension/manager":       `{"autoCompletion": false}`,
	"extensionmanager-extension/plugin": `{"enabled": false}`,
}

// helpers are functions that the tests call in the page.
const helpers = `
// nb is the notebook on show.
globalThis.nb = () => [...jupyterapp.shell.widgets("main")].find(w => w.sessionContext && w.content?.widgets)

// codeCells are its code cells.
globalThis.codeCells = () => nb().content.widgets.filter(c => c.model.type === "code")

// drawn are the pictures in the outputs below a node.
globalThis.drawn = node => [...node.querySelectorAll(".jp-OutputArea-output img, .jp-OutputArea-output svg")]

// outputs describes what a code cell shows.
globalThis.outputs = cell => ({
	count: cell.model.executionCount ?? 0,
	source: cell.model.sharedModel.getSource(),
	errors: [...cell.node.querySelectorAll(
		'[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type="application/vnd.jupyter.error"]')].map(e => e.innerText),
	pictures: drawn(cell.node).map(e => { const box = e.getBoundingClientRect()
		return {loaded: e.tagName.toLowerCase() === "svg" || e.complete && e.naturalWidth > 0, width: box.width, height: box.height} }),
})

// ran says whether all code cells have run.
globalThis.ran = () => codeCells().every(c => c.model.executionCount > 0 && c.model.executionState === "idle")

// watch notes the progress bars and the pictures that come and go in cells that are running.
globalThis.watch = () => {
	globalThis.seen = {bars: [], pictures: []}
	const note = (list, item) => { if (!list.includes(item)) list.push(item) }
	new MutationObserver(() => codeCells().forEach((cell, i) => {
		if (cell.model.executionState !== "running") return
		cell.node.querySelectorAll("progress").forEach(e => note(seen.bars, i + ": " + e.value))
		cell.node.querySelectorAll("img").forEach(e => note(seen.pictures, i + ": " + e.src))
	})).observe(nb().node, {childList: true, subtree: true})
}

// controls are the selects and ranges in the outputs, by the text of their labels.
globalThis.controls = () => [...nb().node.querySelectorAll(".jp-OutputArea-output :is(select, input)")].map(e => ({
	element: e,
	label: [...e.labels?.[0]?.childNodes ?? []].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data).join("").trim(),
	cell: e.closest(".jp-Cell"),
}))

// until waits for an expression to be true. It looks at every change of the page,
// and now and then, for not all that JupyterLab knows is in the page.
globalThis.until = expression => new Promise(done => {
	const true_ = () => { try { return eval(expression) } catch { return false } } // what it looks at is not there yet
	const look = () => {
		if (!true_()) return
		observer.disconnect()
		clearInterval(timer)
		document.removeEventListener("load", look, true)
		done()
	}
	const observer = new MutationObserver(look), timer = setInterval(look, 500)
	observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true})
	document.addEventListener("load", look, true)
	look()
})

// idle waits until a kernel is, and asks the server, for no notebook need be open.
globalThis.idle = async id => {
	const kernels = jupyterapp.serviceManager.kernels
	do await kernels.refreshRunning()
	while ([...kernels.running()].find(k => k.id === id).execution_state !== "idle")
}

// choose gives a control a value as a user does, for a select how the text of
// an option begins, and says after how many milliseconds its cell's picture was another.
globalThis.choose = async (label, value) => {
	const c = controls().find(c => c.label === label)
	if (!c) throw new Error("no control " + label + ", there are: " + controls().map(c => c.label))
	const option = [...c.element.options ?? []].find(o => o.text.startsWith(value))
	if (c.element.options && !option) throw new Error("no option " + value + " of " + label)
	const picture = () => drawn(c.cell).map(e => e.src ?? e.outerHTML).join()
	const before = picture(), start = performance.now()
	c.element.value = option ? option.value : value
	c.element.dispatchEvent(new Event("input", {bubbles: true}))
	c.element.dispatchEvent(new Event("change", {bubbles: true}))
	globalThis.changed = () => ![before, ""].includes(picture())
	await until("changed()")
	return performance.now() - start
}
`

// lab is a JupyterLab of its own, with a browser that looks at it.
type lab struct {
	t      *testing.T
	env    kernels.Env
	root   string // the folder served: a copy of the notebooks
	base   string // URL of the server, ending in a slash
	token  string
	tab    context.Context
	server *exec.Cmd
	ended  chan error
	marker string // in the environment of the server and of all that it starts
	log    string // file of the server's log
	shots  string // folder of the screenshots
}

// startLab serves a copy of this folder's notebooks, with their outputs
// removed, and opens a browser. Both are gone when the test ends.
func startLab(t *testing.T) *lab {
	t.Helper()
	env := environment(t)
	chrome := browser(t)
	tmp := t.TempDir()
	l := &lab{
		t: t, env: env, token: "browser-test", ended: make(chan error, 1),
		root:   filepath.Join(tmp, "notebooks"),
		marker: "JUPYTER_RUNTIME_DIR=" + filepath.Join(tmp, "jupyter_runtime_dir"),
		log:    filepath.Join(tmp, "server.log"),
		shots:  filepath.Join(env.Root, "out", "browser"),
	}
	for name, text := range settings {
		l.write(filepath.Join(tmp, "settings", "@jupyterlab", name+".jupyterlab-settings"), []byte(text))
	}
	if err := os.CopyFS(l.root, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, file := range committed(t) {
		l.write(filepath.Join(l.root, file), withoutOutputs(t, file))
	}
	if err := os.MkdirAll(l.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	l.serve(tmp)
	l.browse(chrome, tmp)
	return l
}

func (l *lab) write(path string, data []byte) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// withoutOutputs returns a notebook as nobody has run it.
func withoutOutputs(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var nb map[string]any
	if err := json.Unmarshal(data, &nb); err != nil {
		t.Fatal(err)
	}
	for _, c := range nb["cells"].([]any) {
		if cell := c.(map[string]any); cell["cell_type"] == "code" {
			cell["outputs"], cell["execution_count"] = []any{}, nil
		}
	}
	if data, err = json.Marshal(nb); err != nil {
		t.Fatal(err)
	}
	return data
}

// listening matches where the server says that it listens.
var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

// serve starts the server with folders of its own for everything that Jupyter
// keeps of a user, and waits until it says that it listens.
func (l *lab) serve(tmp string) {
	t := l.t
	t.Helper()
	logFile, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	l.server = exec.Command(l.env.Bin("jupyter"), "lab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1", "--port=0",
		"--ServerApp.root_dir="+l.root, "--IdentityProvider.token="+l.token)
	l.server.Dir = l.root
	l.server.Env = append(os.Environ(), "CAMLAB_QUICK=1", "JUPYTER_PREFER_ENV_PATH=1", "JUPYTERLAB_SETTINGS_DIR="+filepath.Join(tmp, "settings"))
	for _, name := range []string{"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"} {
		l.server.Env = append(l.server.Env, name+"="+filepath.Join(tmp, strings.ToLower(name)))
	}
	// Its kernels write here too, so that the end of this is not that of the server.
	said, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.server.Stderr = stderr
	if err := l.server.Start(); err != nil {
		t.Fatalf("%v; run `camlab setup`", err)
	}
	stderr.Close()
	go func() { l.ended <- l.server.Wait() }()
	t.Cleanup(l.stop)
	base := make(chan string, 1)
	go func() {
		defer logFile.Close()
		defer said.Close()
		for lines := bufio.NewReader(io.TeeReader(said, logFile)); ; {
			line, err := lines.ReadString('\n')
			if url := listening.FindString(line); url != "" {
				select {
				case base <- url:
				default: // it says it more than once
				}
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case l.base = <-base:
	case err := <-l.ended:
		l.ended <- err
		t.Fatalf("the server ended: %v\n%s", err, l.logTail())
	}
}

// stop ends the server, and the server its kernels. On Linux it looks for
// processes that stayed.
func (l *lab) stop() {
	if l.t.Failed() {
		l.t.Logf("server's log:\n%s", l.logTail())
	}
	if err := l.server.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		l.t.Error(err)
	}
	select {
	case err := <-l.ended:
		if err != nil {
			l.t.Logf("the server ended: %v", err)
		}
	case <-time.After(patience):
		l.t.Errorf("the server did not end within %s of SIGTERM; killed: %v", patience, l.server.Process.Kill())
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		left := l.processes()
		if len(left) == 0 {
			return
		}
		if time.Since(start) > patience {
			for pid, line := range left {
				p, err := os.FindProcess(pid)
				if err == nil {
					err = p.Kill()
				}
				l.t.Errorf("still running after the server: %d %s; killed: %v", pid, line, err)
			}
			return
		}
	}
}

// processes lists what runs with the server's folder of run-time files in its
// environment: the server, its kernels and the programs of their cells.
func (l *lab) processes() map[int]string {
	found := map[int]string{}
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, []byte(l.marker)) {
			continue // ended since, or somebody else's
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && len(line) > 0 {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

func (l *lab) logTail() string {
	data, err := os.ReadFile(l.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n")))
}

// browse starts the browser. The sandbox is off: it does not work as root nor
// in most containers, and the pages are our own.
func (l *lab) browse(chrome, tmp string) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chrome), chromedp.NoSandbox, chromedp.WindowSize(1400, 1900),
		chromedp.UserDataDir(filepath.Join(tmp, "chrome")), chromedp.WSURLReadTimeout(patience))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	l.t.Cleanup(cancel)
	tab, cancelTab := chromedp.NewContext(allocator)
	l.t.Cleanup(cancelTab)
	l.tab = tab
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: helpers}); err != nil {
		l.t.Fatalf("%s: %v", chrome, err)
	}
	// JupyterLab's current document is the one in focus, and a window that no
	// desktop shows has none.
	if _, err := chromedp.Call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		l.t.Fatal(err)
	}
	// "Leave the page?"
	dialogs := chromedp.Events(tab, page.JavascriptDialogOpening)
	go func() {
		for _, err := range dialogs {
			if err != nil {
				return
			}
			if _, err := chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}); err != nil {
				return
			}
		}
	}()
}

// eval runs JavaScript in the page and returns its value, that of a promise
// when it has come.
func eval[T any](l *lab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// is waits until a JavaScript expression is true, and fails the test with a
// screenshot when it does not come true.
func (l *lab) is(what, expression string) {
	l.t.Helper()
	start := time.Now()
	for {
		_, err := eval[chromedp.Void](l, fmt.Sprintf(`until(%q)`, expression))
		if err == nil {
			return
		}
		if strings.Contains(err.Error(), "navigated") || strings.Contains(err.Error(), "context was destroyed") {
			continue // the page loads: look at the next
		}
		l.t.Fatalf("waited %.0f s for %s: %v; screenshot %s", time.Since(start).Seconds(), what, err, l.screenshot("failed_"+strings.ReplaceAll(l.t.Name(), "/", "_")))
	}
}

// open shows a notebook and waits until it is connected to its kernel, which
// is chosen in JupyterLab's dialog if it asks.
func (l *lab) open(name string) {
	l.t.Helper()
	if err := chromedp.Do(l.tab, chromedp.Navigate(l.base+"lab/tree/"+url.PathEscape(name)+"?reset&token="+l.token)); err != nil {
		l.t.Fatal(err)
	}
	l.is("JupyterLab to show "+name, `nb().content.widgets.length > 0 && nb().content.isVisible`)
	l.do(`jupyterapp.shell.activateById(nb().id)`)
	l.is(name+" to be the current document", `jupyterapp.shell.currentWidget === nb()`)
	l.is("the kernel of "+name, `(() => {
		const dialog = document.querySelector(".jp-Dialog"), select = dialog?.querySelector("select")
		if (select) {
			select.value = [...select.options].find(o => o.text.includes("Go CAM · XLA CPU")).value
			dialog.querySelector(".jp-mod-accept").click()
		}
		const session = nb().sessionContext
		return !dialog && session.isReady && session.session?.kernel?.connectionStatus === "connected"
	})()`)
}

// do runs JavaScript in the page.
func (l *lab) do(script string) {
	l.t.Helper()
	if _, err := eval[chromedp.Void](l, script); err != nil {
		l.t.Fatalf("%s: %v", script, err)
	}
}

// menu clicks on an item of a menu and waits until its command runs. A menu closes
// again when JupyterLab moves the focus just then, and is opened anew.
func (l *lab) menu(name, item string) {
	l.t.Helper()
	l.do(`if (!globalThis.executed) { globalThis.executed = 0; jupyterapp.commands.commandExecuted.connect(() => executed++) }`)
	l.do(`globalThis.before = executed; globalThis.shown = text => [...document.querySelectorAll(".lm-Menu-itemLabel")].some(e => e.innerText === text)`)
	for {
		l.click(".lm-MenuBar-itemLabel", name)
		l.is("menu "+name+" to open or close", fmt.Sprintf(`shown(%q) || !document.querySelector(".lm-Menu")`, item))
		if !l.click(".lm-Menu-itemLabel", item) {
			continue
		}
		l.is(item+" to run or its menu to close", `executed > before || !document.querySelector(".lm-Menu")`)
		if run, err := eval[bool](l, `executed > before`); err != nil || run {
			return
		}
	}
}

// click clicks on the element with the given text, if it is displayed. The
// mouse is moved there first: JupyterLab's menus take only the item under it.
func (l *lab) click(selector, text string) bool {
	l.t.Helper()
	at, err := eval[*struct{ X, Y, Width, Height float64 }](l,
		fmt.Sprintf(`(() => {
			const e = [...document.querySelectorAll(%q)].find(e => e.innerText === %q)
			e?.scrollIntoView({block: "nearest"})
			return e?.getBoundingClientRect().toJSON()
		})()`, selector, text))
	if err != nil {
		l.t.Fatal(err)
	}
	if at == nil || at.Width == 0 {
		return false
	}
	x, y := at.X+at.Width/2, at.Y+at.Height/2
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y)); err != nil {
		l.t.Fatalf("%s: %v", text, err)
	}
	return true
}

// runAll runs all cells by the menu.
func (l *lab) runAll() {
	l.t.Helper()
	l.menu("Run", "Run All Cells")
	l.is("the cells to start", `codeCells().some(c => c.model.executionState === "running" || c.model.executionCount > 0)`)
}

// outputs is what one code cell shows.
type outputs struct {
	Count    int // execution count
	Source   string
	Errors   []string
	Pictures []struct {
		Loaded        bool
		Width, Height float64 // as displayed
	}
}

// ran waits until every code cell has run, and returns what they show.
func (l *lab) ran() []outputs {
	l.t.Helper()
	l.is("all cells to run", `ran()`)
	// A picture is shown a moment after its output has come.
	l.is("the pictures to load", `codeCells().flatMap(c => outputs(c).pictures).every(p => p.loaded)`)
	all, err := eval[[]outputs](l, `codeCells().map(outputs)`)
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// show scrolls a code cell's output to the top of the window and takes a
// picture of it.
func (l *lab) show(cell int, name string) {
	l.t.Helper()
	l.do(fmt.Sprintf(`codeCells()[%d].outputArea.node.scrollIntoView({block: "start"})`, cell))
	l.t.Log(l.screenshot(name))
}

// choose gives a labelled control in an output a value, waits until the
// picture of that cell is another, and returns how long that took.
func (l *lab) choose(label, value string) time.Duration {
	l.t.Helper()
	ms, err := eval[float64](l, fmt.Sprintf(`choose(%q, %q)`, label, value))
	if err != nil {
		l.t.Fatalf("%v; screenshot %s", err, l.screenshot("failed_"+l.t.Name()))
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// screenshot takes a picture of the window.
func (l *lab) screenshot(name string) string {
	path := filepath.Join(l.shots, name+".png")
	ctx, cancel := context.WithTimeout(l.tab, time.Minute) // a page that hangs must not keep the failure
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err.Error()
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return err.Error()
	}
	return path
}

// TestNotebookArticleInBrowser runs the article in JupyterLab as a reader
// does, and looks at what is displayed.
func TestNotebookArticleInBrowser(t *testing.T) {
	const name = "01_article.ipynb"
	l := startLab(t)
	l.open(name)
	l.do(`watch()`)
	l.runAll()
	all, want := l.ran(), drawn(t, name)
	if len(all) != len(want) {
		t.Fatalf("%d code cells, want %d", len(all), len(want))
	}
	for i, cell := range all {
		if cell.Count != i+1 {
			t.Errorf("code cell %d: execution count %d", i+1, cell.Count)
		}
		if len(cell.Errors) > 0 {
			t.Errorf("code cell %d: error output %q", i+1, cell.Errors)
		}
		if len(cell.Pictures) != want[i] {
			t.Errorf("code cell %d: %d pictures, want %d as committed", i+1, len(cell.Pictures), want[i])
		}
		for k, p := range cell.Pictures {
			// The smallest is a row of three 32-pixel images.
			if p.Width < 90 || p.Height < 30 {
				t.Errorf("code cell %d: picture %d is displayed with %.0f by %.0f pixels", i+1, k+1, p.Width, p.Height)
			}
		}
		if len(cell.Pictures) > 0 {
			l.show(i, fmt.Sprintf("01_article_%02d", i+1))
		}
	}
	seen, err := eval[struct{ Bars, Pictures []string }](l, `seen`)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("while cells ran: progress bars %v, %d pictures", seen.Bars, len(seen.Pictures))
	curves := 0
	for _, p := range seen.Pictures {
		if strings.Contains(p, "image/svg+xml") {
			curves++
		}
	}
	if len(seen.Bars) < 2 || curves < 2 {
		t.Errorf("while cells ran, %d states of a progress bar and %d of curves were seen, want at least 2 and 2", len(seen.Bars), curves)
	}
}

// drawn returns the number of pictures of each code cell of a notebook.
func drawn(t *testing.T, file string) []int {
	t.Helper()
	var counts []int
	for _, c := range read(t, file) {
		if c.Type != "code" {
			continue
		}
		n := 0
		for _, out := range c.Outputs {
			if out.Data["image/png"] != nil || out.Data["image/svg+xml"] != nil {
				n++
			}
			n += bytes.Count(out.Data["text/html"], []byte("<img")) + bytes.Count(out.Data["text/html"], []byte("<svg"))
		}
		counts = append(counts, n)
	}
	return counts
}

// explore runs the explorer's cell and waits until its form is heard.
func (l *lab) explore(run func()) {
	l.t.Helper()
	run()
	l.is("the explorer to be connected", `controls().length === 5 && controls()[0].cell.innerText.includes("the picture follows")`)
	l.do(`globalThis.explorer = controls()[0].cell; explorer.scrollIntoView({block: "start"})`)
}

// runLast selects the last cell, which is the explorer's, and runs it.
func (l *lab) runLast() {
	l.t.Helper()
	l.do(`nb().content.activeCellIndex = nb().content.widgets.length - 1; nb().content.deselectAll(); nb().content.mode = "command"; nb().content.activate()`)
	l.do(`void jupyterapp.commands.execute("notebook:run-cell")`) // its promise ends with the cell
}

// press presses keys, as a person does.
func (l *lab) press(keys string, modifiers ...chromedp.Modifier) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))); err != nil {
		l.t.Fatalf("%q: %v", keys, err)
	}
}

// ends waits until the kernel is idle and the explorer's controls are gone.
func (l *lab) ends(how string) {
	l.t.Helper()
	start := time.Now()
	l.is("the kernel to be idle: "+how, `nb().sessionContext.session.kernel.status === "idle"`)
	l.is("the controls to go: "+how, `controls().length === 0`)
	l.t.Logf("%s: idle after %.1f s", how, time.Since(start).Seconds())
}

// cells describes the notebook's cells, the mode and what has the focus.
const cells = `nb().content.widgets.map(c => c.model.type).join() + " " + codeCells().map(c => c.model.executionCount).join() + " " +
	nb().content.mode + " " + document.activeElement.name`

// TestNotebookExplorerInBrowser asks the explorer by its controls, with mouse and
// keys. Whatever ends it, what was seen last stays, and the kernel is free again.
func TestNotebookExplorerInBrowser(t *testing.T) {
	const name = "03_explorer.ipynb"
	l := startLab(t)
	l.open(name)
	l.explore(l.runAll)
	for _, c := range []struct{ label, value, want string }{
		{"Image", "2:", "score"},
		{"Opacity", "90", "score"},
		{"Why", "cat", "spoke for cat"},
		{"but not", "dog", "blue for dog"},
		{"Method", "gradcam", "gradcam shows nothing that spoke against it"},
	} {
		t.Logf("%s = %s: another picture after %d ms", c.label, c.value, l.choose(c.label, c.value).Milliseconds())
		l.is(fmt.Sprintf("%s = %s to be answered with %q", c.label, c.value, c.want), fmt.Sprintf(`explorer.innerText.includes(%q)`, c.want))
	}
	t.Log(l.screenshot("03_explorer_asked"))
	l.do(`globalThis.last = drawn(explorer).at(-1).src`)
	if !l.click(".jp-OutputArea-output button", "Done") {
		t.Error("no button Done")
	}
	for i, cell := range l.ran() {
		if len(cell.Errors) > 0 {
			t.Errorf("code cell %d: error output %q", i+1, cell.Errors)
		}
	}
	l.ends("Done")
	l.is("the last picture to stay", `drawn(explorer).length === 1 && drawn(explorer)[0].src.replace(/\s/g, "") === last`)
	t.Log(l.screenshot("03_explorer_done"))

	l.keys()
	l.sight()
	for _, end := range []struct {
		how string
		do  func()
	}{
		{"interrupted", func() { l.menu("Kernel", "Interrupt Kernel") }},
		{"output cleared", func() { l.menu("Edit", "Clear Cell Output") }},
		{"cell deleted", func() { l.menu("Edit", "Delete Cell") }},
	} {
		l.explore(l.runLast)
		end.do()
		l.ends(end.how)
	}
	l.menu("Edit", "Undo Cell Operation")
	l.is("the explorer's cell to be back", `codeCells().length === 3`)

	// Run again while it runs: the first ends, the second is there.
	l.explore(l.runLast)
	l.do(`globalThis.first = controls()[0].element.form.id`)
	l.explore(func() {
		l.runLast()
		l.is("another explorer", `controls().length === 5 && controls()[0].element.form.id !== first`)
	})

	// Saved while it runs, closed and opened again.
	l.reopened("the notebook closed", func() {
		l.do(`globalThis.kernel = nb().sessionContext.session.kernel.id; nb().context.save()`)
		l.menu("File", "Close Tab")
		l.is("the notebook to be closed", `!nb()`)
		l.do(`idle(kernel)`)
		l.do(fmt.Sprintf(`void jupyterapp.commands.execute("docmanager:open", {path: %q})`, name))
		l.is("the notebook to be open again", `nb().content.widgets.length > 0 && nb().sessionContext.session?.kernel?.connectionStatus === "connected"`)
	})
	l.reopened("the page loaded anew", func() {
		l.do(`nb().context.save()`)
		kernel, err := eval[string](l, `nb().sessionContext.session.kernel.id`)
		if err != nil {
			t.Fatal(err)
		}
		l.open(name)
		l.do(fmt.Sprintf(`idle(%q)`, kernel))
	})
}

// keys presses the keys that JupyterLab has a use for on each of the explorer's
// controls, and wants the controls to have them, and the notebook as it was.
func (l *lab) keys() {
	t := l.t
	t.Helper()
	l.explore(l.runLast)
	l.do(`controls()[0].element.focus(); nb().content.widgets[0].node.dataset.mark = "same"`)
	wants := func(after, name string) {
		t.Helper()
		l.is(fmt.Sprintf("the focus on %s after %s", name, after), fmt.Sprintf(`(document.activeElement.name || document.activeElement.innerText) === %q`, name))
	}
	another := func(after string) {
		t.Helper()
		l.is("another picture after "+after, `drawn(explorer).at(-1)?.src !== picture && drawn(explorer).length > 0`)
	}
	before, err := eval[string](l, cells)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, arrow, letters, value string }{
		{"image", kb.ArrowDown, "", "1"},
		{"class", kb.ArrowDown, "do", "dog"},
		{"rival", kb.ArrowDown, "tr", "truck"},
		{"method", kb.ArrowDown, "hires", "hirescam"},
		{"opacity", kb.ArrowRight, "", "51"},
	} {
		wants("Tab", c.name)
		l.do(`globalThis.picture = drawn(explorer).at(-1).src`)
		l.press(c.arrow)
		another("an arrow on " + c.name)
		if c.letters != "" {
			l.press(c.letters)
		}
		l.is(fmt.Sprintf("%s to have the value %s", c.name, c.value), fmt.Sprintf(`document.activeElement.value === %q`, c.value))
		for _, key := range []string{kb.Enter, "x", "z", "m", "y", "r", "a", "b", "d", "d", "0", "0", "j", "k", "l", "o", "c", "v"} {
			l.press(key)
		}
		l.press(kb.Enter, chromedp.ModifierShift)
		l.press(kb.Enter, chromedp.ModifierCtrl)
		after, err := eval[string](l, cells)
		if err != nil {
			t.Fatal(err)
		}
		if want := before[:strings.LastIndex(before, " ")+1] + c.name; after != want {
			t.Errorf("keys on %s: cells, mode and focus are %q, want %q; screenshot %s", c.name, after, want, l.screenshot("failed_keys"))
		}
		l.press(kb.Tab)
	}
	wants("Tab", "Done")
	l.press(kb.Tab, chromedp.ModifierShift)
	wants("Shift+Tab", "opacity")
	l.is("the words for a screen reader", `explorer.querySelector(".camlab-spoken[role=status]").textContent.includes("score")`)

	// The page's own keys are still the page's.
	l.is("the notebook to be changed", `nb().context.model.dirty`)
	l.press("s", chromedp.ModifierCtrl)
	l.is("Ctrl+S to save the notebook", `!nb().context.model.dirty`)
	wants("Ctrl+S", "opacity")

	// Escape gives the keys to the notebook.
	l.press(kb.Escape)
	l.is("the notebook to have the focus after Escape", `!document.activeElement.form && nb().node.contains(document.activeElement) && nb().content.mode === "command"`)
	l.do(`globalThis.count = nb().content.widgets.length`)
	l.press("b")
	l.is("a cell below", `nb().content.widgets.length === count + 1`)
	l.press("dd")
	l.is("the cell deleted", `nb().content.widgets.length === count`)

	l.do(`controls()[0].element.form.querySelector("button").focus()`)
	l.press(" ")
	l.ends("Done, by the space bar")
	l.is("the last picture to stay", `drawn(explorer).length === 1`)
}

// sight has the explorer out of sight, by scrolling and by collapsing its output,
// which is no end, for as long as it takes to say so.
func (l *lab) sight() {
	l.t.Helper()
	l.explore(l.runLast)
	l.do(`const send = gonb_comm.send
		globalThis.sent = 0
		gonb_comm.send = function(...a) { sent++; return send.apply(this, a) }
		globalThis.config = nb().content.notebookConfig
		globalThis.signs = () => { sent = 0; return until("sent === 1") }`)
	for _, out := range []struct{ hide, show string }{
		{`nb().content.notebookConfig = {...config, windowingMode: "full"}; nb().content.scrollToItem(0)`, `nb().content.notebookConfig = config`},
		{`nb().content.widgets.at(-1).outputHidden = true`, `nb().content.widgets.at(-1).outputHidden = false`},
	} {
		l.do(out.hide)
		l.do(`signs()`)
		l.do(out.show)
		l.is("the explorer to be back", `controls().length === 5 && !controls()[0].element.matches(":disabled")`)
		l.do(`explorer.scrollIntoView({block: "start"})`)
		value, err := eval[string](l, `String((+controls()[4].element.value + 7) % 100)`)
		if err != nil {
			l.t.Fatal(err)
		}
		l.choose("Opacity", value)
	}
	l.click(".jp-OutputArea-output button", "Done")
	l.ends("Done, after it was out of sight")
}

// reopened does something that takes the running explorer away, and wants the
// notebook to show what was saved, and the explorer to run again.
func (l *lab) reopened(how string, leave func()) {
	l.t.Helper()
	start := time.Now()
	leave()
	l.t.Logf("%s: idle and open again after %.1f s", how, time.Since(start).Seconds())
	l.is("the last picture in the notebook", `drawn(codeCells().at(-1).node).length === 1`)
	l.is("a form that says that nothing runs", `codeCells().at(-1).node.innerText.includes("not running") && controls().every(c => c.element.matches(":disabled"))`)
	l.t.Log(l.screenshot("03_explorer_reopened"))
	l.explore(l.runLast)
	l.choose("Why", "dog")
}

// newNotebook names no kernel. Its second cell fails.
const newNotebook = `{"cells": [
{"cell_type": "code", "id": "a", "execution_count": null, "metadata": {}, "outputs": [], "source": [
"import \"github.com/camlab-go/camlab/camlib/cifar10\"\n",
"import \"github.com/camlab-go/camlab/camlib/notebook\"\n",
"%%\n",
"notebook.Show(cifar10.Sample().Image(0), nil)"]},
{"cell_type": "code", "id": "b", "execution_count": null, "metadata": {}, "outputs": [], "source": ["%%\n", "panic(\"a cell fails\")"]}],
"metadata": {}, "nbformat": 4, "nbformat_minor": 5}`

// TestNotebookNewInBrowser chooses the kernel of a new notebook in JupyterLab's
// dialog, and sees both a picture and an error in it.
func TestNotebookNewInBrowser(t *testing.T) {
	l := startLab(t)
	l.write(filepath.Join(l.root, "new.ipynb"), []byte(newNotebook))
	l.open("new.ipynb")
	l.runAll()
	all := l.ran()
	if len(all) != 2 || len(all[0].Errors) != 0 || len(all[0].Pictures) != 1 || all[0].Pictures[0].Width != 32 || all[0].Pictures[0].Height != 32 {
		t.Errorf("%+v, want a picture of 32 by 32 pixels in the first of two cells", all)
	}
	if errs := strings.Join(all[1].Errors, "\n"); !strings.Contains(errs, "panic: a cell fails") {
		t.Errorf("the second cell shows the errors %q, want its panic", errs)
	}
	t.Log(l.screenshot("new"))
}
