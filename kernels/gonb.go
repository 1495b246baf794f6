package kernels

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// gonbModule is the kernel program that the kernelspecs start.
const gonbModule = "github.com/janpfeifer/gonb"

// change replaces a text, which a file has exactly once, by another.
type change struct{ file, old, new string }

// gonbChanges keep a cell from ending the kernel, and with it all that was
// declared: GoNB v0.11.3 handles requests in goroutines without a
// recover. Two lines of %% index past the end of a slice, for a cell may add at
// most five lines to what is compiled; so does %%script without a command.
var gonbChanges = []change{
	// One main function a cell, said in words.
	{
		"internal/goexec/composer.go",
		"\t\t\t// Write preamble of func main() and associate to the \"%%\" line:\n",
		"\t\t\tif needsClosingMain {\n" +
			"\t\t\t\terr = errors.Errorf(\"line %d: a second %q, want one in a cell: what follows it is the body of func main\", ii+1, trimmedLine)\n" +
			"\t\t\t\treturn\n" +
			"\t\t\t}\n",
	},
	{
		"internal/goexec/composer.go",
		"fileToCellLines = make([]int, len(lines)+5)",
		"fileToCellLines = make([]int, 5*len(lines)+5)", // a line of a cell becomes five at most, of %exec
	},
	// A panic is the cell's error.
	{
		"internal/goexec/execcode.go",
		"func (s *State) executeCellImpl(msg kernel.Message, cellId int, lines []string, skipLines Set[int]) error {\n",
		"func (s *State) executeCellImpl(msg kernel.Message, cellId int, lines []string, skipLines Set[int]) (failed error) {\n" +
			"\tdefer func() {\n\t\tif r := recover(); r != nil {\n\t\t\tfailed = errors.Errorf(\"GoNB failed: %v\", r)\n\t\t}\n\t}()\n",
	},
	{
		"internal/dispatcher/dispatcher.go",
		"\tif specialCell, err := specialcmd.ExecuteSpecialCell(msg, goExec, lines); specialCell {\n",
		"\tfunc() {\n" +
			"\tdefer func() {\n\t\tif r := recover(); r != nil {\n\t\t\texecutionErr = errors.Errorf(\"GoNB failed: %v\", r)\n\t\t}\n\t}()\n" +
			"\tif specialCell, err := specialcmd.ExecuteSpecialCell(msg, goExec, lines); specialCell {\n",
	},
	{
		"internal/dispatcher/dispatcher.go",
		"\t// Final execution result.\n",
		"\t}()\n",
	},
	// So is one in completion or help, which then has no answer.
	{
		"internal/dispatcher/dispatcher.go",
		"\tdefer func() {\n\t\tnewErr := kernel.PublishKernelStatus(msg, kernel.StatusIdle)\n",
		"\tdefer func() {\n\t\tif r := recover(); r != nil {\n\t\t\terr = errors.Errorf(\"GoNB failed: %v\", r)\n\t\t}\n" +
			"\t\tnewErr := kernel.PublishKernelStatus(msg, kernel.StatusIdle)\n",
	},
}

// changedGoNB copies GoNB's module into a folder of dir, with gonbChanges, and
// returns a go.mod in dir that is the one of root with GoNB replaced by the
// copy; the go command takes it by -modfile. (Its -overlay takes no files of
// the module cache.)
func changedGoNB(module, root, dir string) (modfile string, err error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("kernels: GoNB: %w", err) }
	copied := filepath.Join(dir, "module")
	if err := os.RemoveAll(copied); err != nil {
		return fail(err)
	}
	if err := os.CopyFS(copied, os.DirFS(module)); err != nil {
		return fail(err)
	}
	for _, c := range gonbChanges {
		path := filepath.Join(copied, filepath.FromSlash(c.file))
		text, err := os.ReadFile(path)
		if err != nil {
			return fail(err)
		}
		if n := bytes.Count(text, []byte(c.old)); n != 1 {
			return fail(fmt.Errorf("%s has %q %d times, want once: kernels/gonb.go was written for another version of it",
				c.file, strings.TrimSpace(c.old), n))
		}
		if err := os.WriteFile(path, bytes.Replace(text, []byte(c.old), []byte(c.new), 1), 0o644); err != nil {
			return fail(err)
		}
	}
	for name, end := range map[string]string{"go.mod": fmt.Sprintf("\nreplace %s => %s\n", gonbModule, strconv.Quote(copied)), "go.sum": ""} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return fail(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(text, end...), 0o644); err != nil {
			return fail(err)
		}
	}
	return filepath.Join(dir, "go.mod"), nil
}
