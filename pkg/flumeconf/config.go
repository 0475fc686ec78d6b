package flumeconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// File is a configuration: the merged properties of one file or several. It
// does not change and may be used by several goroutines.
type File struct {
	names    []string // of the files, in the order they were given
	sections []*section
	problems []Problem // of properties alone
	ignored  []string  // groups that there are not, as "a1.source"
}

// groups are the parts of an agent: the second words of all keys.
var groups = []string{"sources", "channels", "sinks", "sinkgroups", "configfilters"}

// references is what Flume would replace in a value: ${env:HOME}, ${other.key},
// ${filter['key']}.
var references = regexp.MustCompile(`\$\{[^}]*\}`)

// section is what a file says about one agent.
type section struct {
	agent string
	pos   Position            // of its first property
	lists map[string]Property // by group; the names of the components
	parts map[string][]*part  // by group; the components that have properties
}

// part is what a file says about one component.
type part struct {
	name  string
	props []Property // their keys are what follows the component's name
}

// Load reads files and merges them: of a property that is in several, the one
// in the later file counts. The error tells all that cannot be read; what is
// wrong with the configuration itself, Check tells.
func Load(files ...string) (*File, error) {
	var parsed [][]Property
	var errs []error
	for _, name := range files {
		props, err := parseFile(name)
		if err != nil {
			errs = append(errs, err)
		}
		parsed = append(parsed, props)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return Merge(parsed...), nil
}

func parseFile(name string) ([]Property, error) {
	f, err := os.Open(name)
	if err != nil {
		err = fault.WithStatus(fmt.Errorf("reading the configuration: %w", err), fault.Config)
		if errors.Is(err, fs.ErrNotExist) {
			err = fault.Hint(err, "give the path of a Flume properties file")
		}
		return nil, err
	}
	defer f.Close()
	return Parse(name, f)
}

// Merge makes a File of what Parse returned for each of several files, in the
// order in which later ones override.
func Merge(files ...[]Property) *File {
	f := new(File)
	for _, p := range f.merge(files) {
		f.add(p)
	}
	return f
}

// merge returns the properties that count, each once, where it came first but
// with the value that came last.
func (f *File) merge(files [][]Property) []Property {
	var merged []Property
	index := make(map[string]int)
	for _, props := range files {
		inThisFile := make(map[string]Position)
		for _, p := range props {
			if !slices.Contains(f.names, p.Pos.File) {
				f.names = append(f.names, p.Pos.File)
			}
			if earlier, ok := inThisFile[p.Key]; ok {
				// Flume: the last one wins without a word; here with one.
				f.warn(p, fmt.Errorf("%s is set twice; this line counts, and %s does not", p.Key, earlier),
					"delete one of the two lines")
			}
			inThisFile[p.Key] = p.Pos
			if i, ok := index[p.Key]; ok {
				merged[i] = p
				continue
			}
			index[p.Key] = len(merged)
			merged = append(merged, p)
		}
	}
	return merged
}

// add puts p in its place, or says why it has none.
func (f *File) add(p Property) {
	agent, rest, dotted := strings.Cut(p.Key, ".")
	switch {
	case p.Value == "":
		f.warn(p, fmt.Errorf("%q has no value and is ignored", p.Key), "write a value after it, or delete the line")
		return
	case !dotted || agent == "":
		f.warn(p, fmt.Errorf("%q names no agent and is ignored", p.Key),
			"a key begins with the agent's name and a dot, as in a1.sources")
		return
	case rest == "":
		f.warn(p, fmt.Errorf("%q names an agent, but no property of it, and is ignored", p.Key),
			"write %s.sources, for example", agent)
		return
	}
	// Flume: references are replaced, and those that cannot be stay as they
	// are; here all do.
	if reference := references.FindString(p.Value); reference != "" {
		f.warn(p, fmt.Errorf("%s is taken as it stands: this version replaces no references", reference),
			"if it is meant for Flume, write the value itself in its place")
	}
	group, rest, dotted := strings.Cut(rest, ".")
	if !slices.Contains(groups, group) {
		f.ignore(p, agent, group)
		return
	}
	if !dotted {
		f.section(agent, p).lists[group] = p
		return
	}
	name, key, _ := strings.Cut(rest, ".")
	if name == "" || key == "" {
		hint := fmt.Sprintf("write %s.%s = … to name the %s", agent, group, group)
		if name != "" {
			hint = fmt.Sprintf("did you mean %s.%s.%s.type?", agent, group, name)
		}
		f.warn(p, fmt.Errorf("%q names no property of a component and is ignored", p.Key), "%s", hint)
		return
	}
	s := f.section(agent, p)
	component := s.part(group, name)
	if component == nil {
		component = &part{name: name}
		s.parts[group] = append(s.parts[group], component)
	}
	component.props = append(component.props, Property{Key: key, Value: p.Value, Pos: p.Pos})
}

// ignore says that an agent has no such group as p is in, once a group.
func (f *File) ignore(p Property, agent, group string) {
	path := agent + "." + group
	if slices.Contains(f.ignored, path) {
		return
	}
	f.ignored = append(f.ignored, path)
	hint := "an agent has " + strings.Join(groups, ", ")
	if meant := fault.Closest(group, groups); meant != "" {
		hint = fmt.Sprintf("did you mean %s.%s?", agent, meant)
	}
	f.warn(p, fmt.Errorf("an agent has no %q; all that is under %s is ignored", group, path), "%s", hint)
}

// warn adds a warning about p.
func (f *File) warn(p Property, err error, hint string, args ...any) {
	agent, _, dotted := strings.Cut(p.Key, ".")
	if !dotted {
		agent = ""
	}
	f.problems = append(f.problems, newProblem(Warning, agent, p.Pos, p.Key, err, hint, args...))
}

// section returns the section of agent, a new one if p is its first property.
func (f *File) section(agent string, p Property) *section {
	for _, s := range f.sections {
		if s.agent == agent {
			return s
		}
	}
	s := &section{agent: agent, pos: p.Pos, lists: make(map[string]Property), parts: make(map[string][]*part)}
	f.sections = append(f.sections, s)
	return s
}

// part returns the component called name, or nil.
func (s *section) part(group, name string) *part {
	for _, p := range s.parts[group] {
		if p.name == name {
			return p
		}
	}
	return nil
}

// Agents returns the names of the agents, in the order of the file: of all
// that have a list of components of any kind.
func (f *File) Agents() []string {
	var names []string
	for _, s := range f.sections {
		if len(s.lists) > 0 {
			names = append(names, s.agent)
		}
	}
	return names
}

// Agent returns the agent called name. The error, if there is none, names
// those that there are. What is wrong with the agent is for Check to tell:
// without its errors, the Agent is whole.
func (f *File) Agent(name string) (*Agent, error) {
	for _, s := range f.sections {
		if s.agent == name {
			agent, _ := f.read(s)
			return agent, nil
		}
	}
	err := fmt.Errorf("there is no agent %q", name)
	if len(f.names) > 0 {
		err = fault.At(err, strings.Join(f.names, ", "))
	}
	agents := f.Agents()
	switch meant := fault.Closest(name, agents); {
	case meant != "":
		err = fault.Hint(err, "did you mean %s? The agents are: %s", meant, strings.Join(agents, ", "))
	case len(agents) > 0:
		err = fault.Hint(err, "the agents are: %s", strings.Join(agents, ", "))
	default:
		err = fault.Hint(err, "an agent begins with its lists, such as %s.sources = r1", name)
	}
	return nil, fault.WithStatus(err, fault.Config)
}
