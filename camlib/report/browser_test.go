package report_test

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/camlab-go/camlab/camlib/report"
	"github.com/camlab-go/camlab/internal/browsertest"
)

// patience is how long one wait may take; it decides nothing else.
const patience = 5 * time.Minute

// reader looks at a page in a browser.
type reader struct {
	t    *testing.T
	tab  context.Context
	page *report.Page

	mutex    sync.Mutex
	requests []string // what the page asked for, but for its own data
	faults   []string // what the browser complains about
}

func do[T any](r *reader, action chromedp.Action[T]) T {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.tab, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// eval runs JavaScript with some helpers in the page.
func eval[T any](r *reader, script string) T {
	r.t.Helper()
	return do(r, chromedp.Evaluate[T](`(() => {
		const all = s => [...document.querySelectorAll(s)], shown = () => all("article:not([hidden])"), names = () => shown().map(e => e.querySelector("h3").textContent)
		const set = (name, value) => { const e = document.querySelector("form [name=" + name + "]")
			e.type === "checkbox" ? e.checked = value : e.value = value
			e.dispatchEvent(new Event("input", {bubbles: true})) }
		`+script+`
	})()`))
}

func (r *reader) press(keys string) { r.t.Helper(); do(r, chromedp.KeyEvent(keys)) }

// read opens a page of n images from a file, as a reader does.
func read(t *testing.T, n int) *reader {
	t.Helper()
	r := &reader{t: t, tab: browsertest.Open(t, 1280, 900, patience), page: page(n)}
	path := filepath.Join(t.TempDir(), "a report #1.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.page.Write(f); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d images: %.1f MB", n, float64(info.Size())/1e6)
	if each := info.Size() / int64(n); each > 16<<10 {
		t.Errorf("%d bytes an image of 32×32 pixels with two maps, want at most 16 KB", each)
	}
	if err := chromedp.Listen(r.tab, func(ev any) {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, "data:") {
				r.requests = append(r.requests, ev.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			r.faults = append(r.faults, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			r.faults = append(r.faults, ev.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(r.tab, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(r.tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
	do(r, chromedp.Navigate(address))
	t.Cleanup(func() {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if !slices.Equal(r.requests, []string{address}) {
			t.Errorf("the page asked for %q, want the page alone", r.requests)
		}
		if len(r.faults) > 0 {
			t.Errorf("the browser says %q", r.faults)
		}
	})
	return r
}

// namesOf are the names of the images that fit, in order.
func (r *reader) namesOf(fits func(im report.Image) bool) (names []string) {
	for _, im := range r.page.Images {
		if fits(im) {
			names = append(names, im.Name)
		}
	}
	return names
}

func (r *reader) shows(what string, want []string) {
	r.t.Helper()
	got := eval[[]string](r, `return names()`)
	if !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		r.t.Errorf("%s: %d images, want %d; from number %d on %q, want %q", what, len(got), len(want), i, got[i:min(len(got), i+3)], want[i:min(len(want), i+3)])
	}
	if said, want := eval[string](r, `return document.querySelector("output").textContent`), strings.Replace(fmt.Sprintf("%d of 1,000 images", len(want)), "1000", "1,000", 1); said != want {
		r.t.Errorf("%s: the page says %q, want %q", what, said, want)
	}
}

// TestPageInBrowser reads a page of 1,000 images.
func TestPageInBrowser(t *testing.T) {
	r := read(t, 1000)
	everything := r.namesOf(func(report.Image) bool { return true })
	t.Run("names are shown and not obeyed", func(t *testing.T) {
		r.t = t
		r.shows("at first", everything)
		if title := eval[string](r, `return document.title`); title != r.page.Title {
			t.Errorf("title %q, want %q", title, r.page.Title)
		}
		if n := eval[int](r, `return all("img").filter(e => e.src && !e.src.startsWith("data:")).length`); n != 0 {
			t.Errorf("%d images of somewhere else", n)
		}
	})
	t.Run("filters", func(t *testing.T) {
		r.t = t
		eval[chromedp.Void](r, `set("predicted", all("[name=predicted] option").find(o => o.text === "frog <b>").value)`)
		r.shows("a class", r.namesOf(func(im report.Image) bool { return im.Predicted == "frog <b>" }))
		eval[chromedp.Void](r, `set("answer", "wrong")`)
		r.shows("a class, wrong", r.namesOf(func(im report.Image) bool { return im.Predicted == "frog <b>" && im.Label != im.Predicted }))
		eval[chromedp.Void](r, `set("label", all("[name=label] option").find(o => o.text === "cat").value)`)
		r.shows("a label that has none", nil)
		if !eval[bool](r, `return document.querySelector("#none").checkVisibility()`) {
			t.Error("nothing is shown, and the page does not say so")
		}
		eval[chromedp.Void](r, `set("label", ""); set("predicted", ""); set("answer", "right")`)
		r.shows("right", r.namesOf(func(im report.Image) bool { return im.Label == im.Predicted }))
		eval[chromedp.Void](r, `set("answer", ""); document.querySelector("[name=name]").focus()`)
		r.press("GE 99")
		r.shows("a part of the name", r.namesOf(func(im report.Image) bool { return strings.Contains(im.Name, "image 99") }))
		eval[chromedp.Void](r, `set("name", "")`)
		r.shows("everything again", everything)
	})
	t.Run("orders", func(t *testing.T) {
		r.t = t
		sorted := slices.Clone(r.page.Images)
		slices.SortStableFunc(sorted, func(a, b report.Image) int { return cmp.Compare(b.Maps[0].Score, a.Maps[0].Score) })
		var high []string
		for _, im := range sorted {
			high = append(high, im.Name)
		}
		eval[chromedp.Void](r, `set("order", "high")`)
		r.shows("highest first", high)
		slices.Reverse(high) // no two scores are equal
		eval[chromedp.Void](r, `set("order", "low")`)
		r.shows("lowest first", high)
		eval[chromedp.Void](r, `set("order", "name")`)
		if got := eval[[]string](r, `return names().filter(n => /^image \d+$/.test(n)).slice(0, 4)`); !slices.Equal(got, []string{"image 7", "image 8", "image 9", "image 10"}) {
			t.Errorf("by name: %q, want numbers as numbers", got)
		}
		eval[chromedp.Void](r, `set("order", "run")`)
		r.shows("of the run", everything)
	})
	t.Run("methods and overlays", func(t *testing.T) {
		r.t = t
		visible := func() int { return eval[int](r, `return all("article .map").filter(e => !e.hidden).length`) }
		eval[chromedp.Void](r, `document.querySelectorAll("[name=method]")[1].click()`)
		if n := visible(); n != 1000 {
			t.Errorf("%d maps of one method, want 1000", n)
		}
		eval[chromedp.Void](r, `document.querySelectorAll("[name=method]")[1].click()`)
		if n := visible(); n != 2000 {
			t.Errorf("%d maps of both methods, want 2000", n)
		}
		const first = `const tile = document.querySelector("button.tile"), under = tile.querySelector(".under")
			return [!!under && under.checkVisibility() && under.src === document.querySelector(".image img").src, getComputedStyle(tile.querySelector(".base")).opacity].join(" ")`
		if got := eval[string](r, first); got != "false 1" {
			t.Errorf("at first: image below the map and its opacity %q, want %q", got, "false 1")
		}
		eval[chromedp.Void](r, `set("over", true); set("opacity", 25)`)
		if got := eval[string](r, first); got != "true 0.25" {
			t.Errorf("over: image below the map and its opacity %q, want %q", got, "true 0.25")
		}
		eval[chromedp.Void](r, `set("over", false)`)
		if got := eval[string](r, first); got != "false 1" {
			t.Errorf("no more over: %q, want %q", got, "false 1")
		}
	})
	t.Run("large by mouse", func(t *testing.T) {
		r.t = t
		box := eval[[]float64](r, `const e = shown()[2].querySelectorAll(".tile")[2]; e.scrollIntoView({block: "center"}); const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]`)
		do(r, chromedp.MouseClickXY(box[0], box[1]))
		const large = `const d = document.querySelector("dialog"), map = d.querySelector("[data-show=map]")
			return [d.open, d.querySelector("h2").textContent, map.alt.split(" ")[0], all("dialog img").every(e => e.complete && e.naturalWidth > 0), map.getBoundingClientRect().width > 200].join("|")`
		if got, want := eval[string](r, large), "true|"+hostile[2]+"|gradcam++|true|true"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, want := eval[string](r, `return ["low", "unit", "high"].map(n => document.querySelector("dialog [data-show=" + n + "]").textContent).join("|")`), "0|activation|0.999"; got != want {
			t.Errorf("the bar says %q, want %q", got, want)
		}
		if hidden := eval[bool](r, `return document.querySelector("[data-show=link]").hidden`); !hidden {
			t.Error("a link to a picture that is not there")
		}
		r.press(kb.Escape)
		if got := eval[bool](r, `return document.querySelector("dialog").open`); got {
			t.Error("Escape did not close")
		}
	})
	t.Run("large by keys", func(t *testing.T) {
		r.t = t
		eval[chromedp.Void](r, `scrollTo(0, 0); all("form input").at(-1).focus()`)
		r.press(kb.Tab)
		const focus = `const e = document.activeElement; return [shown().indexOf(e.closest("article")), e.closest(".map")?.dataset.method, getComputedStyle(e).outlineStyle].join(" ")`
		if got := eval[string](r, focus); got != "0 0 solid" {
			t.Errorf("focus on image, map, with outline %q, want %q", got, "0 0 solid")
		}
		r.press(kb.Enter)
		at := func() string {
			return eval[string](r, `return document.querySelector("dialog [role=status]").textContent`)
		}
		if got, want := at(), hostile[0]+": image 1 of 1000, map 1 of 2"; got != want {
			t.Errorf("Enter: %q, want %q", got, want)
		}
		if got, want := eval[string](r, `return document.querySelector("[data-show=link]").getAttribute("href")`), "./image%200_cam.png"; got != want {
			t.Errorf("link %q, want %q", got, want)
		}
		for _, step := range []struct{ name, key, want string }{
			{"left of the first", kb.ArrowLeft, hostile[0] + ": image 1 of 1000, map 1 of 2"},
			{"down", kb.ArrowDown, hostile[0] + ": image 1 of 1000, map 2 of 2"},
			{"right", kb.ArrowRight, hostile[1] + ": image 2 of 1000, map 2 of 2"},
			{"right", kb.ArrowRight, hostile[2] + ": image 3 of 1000, map 2 of 2"},
			{"up", kb.ArrowUp, hostile[2] + ": image 3 of 1000, map 1 of 2"},
			{"left", kb.ArrowLeft, hostile[1] + ": image 2 of 1000, map 1 of 2"},
		} {
			r.press(step.key)
			if got := at(); got != step.want {
				t.Errorf("%s: %q, want %q", step.name, got, step.want)
			}
		}
		r.press(kb.Escape)
		if got := eval[string](r, focus); got != "1 0 solid" {
			t.Errorf("after Escape focus on image, map, with outline %q, want %q, where one had come", got, "1 0 solid")
		}
	})
	t.Run("everything has a name", func(t *testing.T) {
		r.t = t
		for what, script := range map[string]string{
			"images without words":   `return all("article .base").filter(e => !e.alt).length`,
			"buttons without a name": `return all("button").filter(e => !(e.textContent.trim() || e.querySelector("[alt]:not([alt=''])"))).length`,
			"controls without label": `return all("input, select").filter(e => !e.labels.length || !e.labels[0].textContent.trim()).length`,
			"articles without name":  `return all("article").filter(e => !document.getElementById(e.getAttribute("aria-labelledby"))).length`,
			"ids twice":              `const ids = all("[id]").map(e => e.id); return ids.length - new Set(ids).size`,
		} {
			if n := eval[int](r, script); n != 0 {
				t.Errorf("%s: %d", what, n)
			}
		}
	})
	t.Run("any width, light and dark", func(t *testing.T) {
		r.t = t
		for _, width := range []int64{360, 768, 1280} {
			do(r, chromedp.EmulateViewport(width, 800))
			for _, open := range []bool{false, true} {
				if open {
					eval[chromedp.Void](r, `shown()[6].querySelector("button").click()`)
				}
				if wide := eval[[]string](r, `const root = document.documentElement
					return [root, ...all("article, form, header, section, dialog[open]")].filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > root.clientWidth + 1)
						.slice(0, 3).map(e => e.tagName + " " + e.scrollWidth + " " + e.clientWidth + " " + e.textContent.trim().slice(0, 40))`); len(wide) > 0 {
					t.Errorf("%d pixels, large view %v: wider than there is room: %q", width, open, wide)
				}
			}
			r.press(kb.Escape)
		}
		for _, scheme := range []string{"light", "dark"} {
			if _, err := chromedp.Call(r.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
				t.Fatal(err)
			}
			// Contrast as in WCAG 2.2, 1.4.3, of text on what is behind it.
			got := eval[map[string]float64](r, `
				const light = color => { const [r, g, b] = color.match(/[\d.]+/g).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
				const back = e => { while (/, 0\)$/.test(getComputedStyle(e).backgroundColor)) e = e.parentElement; return light(getComputedStyle(e).backgroundColor) }
				const contrast = s => { const e = document.querySelector(s), a = light(getComputedStyle(e).color), b = back(e); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) }
				return {page: light(getComputedStyle(document.documentElement).backgroundColor), ...Object.fromEntries(
					["h1", "header p", "dt", ".ends", "form label", "select", "h3", ".said", ".right", ".wrong", "figcaption", "figcaption em", "dialog .keys"].map(s => [s, contrast(s)]))}`)
			if (got["page"] < 0.1) != (scheme == "dark") {
				t.Errorf("%s: the page's luminance is %.2f", scheme, got["page"])
			}
			for what, contrast := range got {
				if what != "page" && contrast < 4.5 {
					t.Errorf("%s: %s has a contrast of %.2f, want 4.5", scheme, what, contrast)
				}
			}
		}
	})
	t.Run("what is out of sight is not drawn", func(t *testing.T) {
		r.t = t
		eval[chromedp.Void](r, `scrollTo(0, 0)`)
		if drawn := eval[int](r, `return all("article img.base").filter(e => e.checkVisibility({contentVisibilityAuto: true})).length`); drawn == 0 || drawn > 600 {
			t.Errorf("%d of 3000 pictures are laid out at the top of the page, want those that are near", drawn)
		}
	})
}
