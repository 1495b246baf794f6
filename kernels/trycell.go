package kernels

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

//go:embed trycell.py
var tryCellScript string

// tryCell is a cell that imports camlib and has its backend opened, but for a short
// way all that a first cell depends on.
const tryCell = `import (
	"fmt"

	"` + ModulePath + `/camlib"
)

%%
b, err := camlib.Backend("")
if err != nil {
	panic(err)
}
fmt.Println(camlib.Describe(b))
`

// TryCell runs a cell that imports camlib in a kernel that Jupyter starts in the
// given environment, from sending it through GoNB, the compiler and linker to the
// end of its program, and returns what the cell has printed: the name of the
// kernel's backend.
func (e Env) TryCell(ctx context.Context, kernel string, env []string) (string, error) {
	kernel, err := e.chooseKernel(kernel)
	if err != nil {
		return "", fmt.Errorf("kernels: cell: %w", err)
	}
	cmd := exec.CommandContext(ctx, e.Bin("python"), "-c", tryCellScript, kernel, tryCell)
	cmd.Dir, cmd.Env = e.Root, append(slices.Clone(env), "JUPYTER_PREFER_ENV_PATH=1")
	var log bytes.Buffer
	cmd.Stderr = &log
	text, err := cmd.Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, tail(log.String()))
		}
		return "", fmt.Errorf("kernels: cell: jupyter_client: %w", err)
	}
	var out struct{ Status, Stdout, Stderr, Error string }
	if err := json.Unmarshal(text, &out); err != nil {
		return "", fmt.Errorf("kernels: cell: jupyter_client: %w in %q", err, text)
	}
	switch {
	case out.Status == "":
		return "", fmt.Errorf("kernels: cell: %s: %s: %s", kernel, strings.TrimSpace(out.Error), why(log.String()))
	case out.Status != "ok" || failure.MatchString(out.Stderr) || strings.TrimSpace(out.Stdout) == "":
		return "", fmt.Errorf("kernels: cell: %s: %s", kernel, why(cmp.Or(strings.TrimSpace(out.Stderr), strings.TrimSpace(out.Error), "it printed nothing")+"\n"+log.String()))
	}
	return strings.TrimSpace(out.Stdout), nil
}

var complaint = regexp.MustCompile(`(?mi)^.*(permission denied|no space left|read-only file system|no such file|cannot|not found|panic: |failed to|fatal|unknown flag|exec format).*$`)

// why picks the line of a log that says most, else its end.
func why(log string) string {
	log = plainText(log)
	if line := complaint.FindString(log); line != "" {
		return strings.TrimSpace(line)
	}
	return tail(log)
}
