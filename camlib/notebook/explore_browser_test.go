package notebook

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/camlab-go/camlab/internal/browsertest"
)

// The classic Notebook has jQuery run an output's scripts: each in a script of its
// own in the page's head.
func TestExplorerFormInTheClassicNotebook(t *testing.T) {
	browsertest.Path(t)
	form, err := json.Marshal(testExplorer(t).controls("form_1", "/here"))
	if err != nil {
		t.Fatal(err)
	}
	tab := browsertest.Open(t, 800, 600, time.Minute)
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(() => {
		document.head.append(document.createElement("style"))
		document.body.innerHTML = `+string(form)+`
		const script = document.createElement("script"), sent = []
		globalThis.gonb_comm = { send: (address, text) => sent.push(address + " " + JSON.parse(text).class) }
		script.text = document.body.querySelector("script").text
		document.head.append(script)
		document.querySelector("#form_1 [name=class]").value = "dog"
		document.querySelector("#form_1").dispatchEvent(new Event("input"))
		return sent.join()
	})()`))
	if err != nil || got != "/here dog" {
		t.Errorf("the form sends %q, %v", got, err)
	}
}
