package cli

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// property is one field of an options struct.
type property struct {
	*kong.Flag
	prefix string // before Name in a file and on the command line
	wild   bool   // it is a map of many properties, by what their names have after the stem
	stem   string // what a wildcard's names begin with; "" takes all that nothing else is
	part   any    // the options of the component that a chooser chose
}

// chooser is implemented by fields that are a component within the component,
// such as a sink's serializer: the property's value is its type, and the
// properties that begin with the property's name and a dot are its own.
type chooser interface {
	// Choose takes the component that has the name and returns its options,
	// a pointer to a tagged struct.
	Choose(name string) (options any, err error)
}

// properties are the fields of one options struct.
type properties struct {
	title   string // their heading in the manual
	prefix  string // of each of them
	options any
	list    []*property
	// command says that they belong to the process and not to the component,
	// so that a properties file cannot set them.
	command bool
}

// load reads the tags of options, a pointer to a struct. Prefix stands before
// each name.
func load(options any, prefix string) (*properties, error) {
	// kong knows no structs but those that read themselves from text; a
	// chooser is another kind.
	parser, err := kong.New(options, kong.NoDefaultHelp(), kong.KindMapper(reflect.Struct, kong.MapperFunc(noMapper)))
	if err != nil {
		return nil, fmt.Errorf("reading the tags of %T: %w", options, err)
	}
	p := &properties{options: options, prefix: prefix}
	for _, flag := range parser.Model.Flags {
		// kong has made "$$" into "$"; Flume's values have dollars of their own.
		flag.Default, flag.Help = flag.Tag.Default, flag.OrigHelp
		stem, _, wild := strings.Cut(flag.Name, "<")
		if wild && !flag.IsMap() {
			return nil, fmt.Errorf("reading the tags of %T: %s must be a map", options, flag.Name)
		}
		p.list = append(p.list, &property{Flag: flag, prefix: prefix, wild: wild, stem: stem})
	}
	return p, nil
}

// noMapper refuses a struct that is not read from text.
func noMapper(_ *kong.DecodeContext, target reflect.Value) error {
	return fmt.Errorf("%s has no method UnmarshalText", target.Type())
}

// key returns the property's full name.
func (p *property) key() string { return p.prefix + p.Name }

// find returns the property that key names. A wildcard comes with what the
// key has after its stem; exact names come before wildcards, longer stems
// before shorter ones.
func (p *properties) find(key string) (found *property, sub string) {
	key, ok := strings.CutPrefix(key, p.prefix)
	if !ok {
		return nil, ""
	}
	for _, each := range p.list {
		if !each.wild {
			if each.Name == key {
				return each, ""
			}
			for _, alias := range each.Aliases {
				if alias == key {
					return each, ""
				}
			}
			continue
		}
		rest, ok := strings.CutPrefix(key, each.stem)
		if ok && rest != "" && each.stem != "" && (found == nil || len(each.stem) > len(found.stem)) {
			found, sub = each, rest
		}
	}
	return found, sub
}

// find looks for key in several structs; the first that has it counts, and
// then what takes the rest.
func find(all []*properties, key string) (found *property, sub string, in *properties) {
	for _, each := range all {
		if found, sub := each.find(key); found != nil {
			return found, sub, each
		}
	}
	return rest(all, key)
}

// rest returns the wildcard without a stem, of all, which takes any key but the
// type that every component has. It returns nil if there is none.
func rest(all []*properties, key string) (found *property, sub string, in *properties) {
	for _, each := range all {
		sub, ok := strings.CutPrefix(key, each.prefix)
		if !ok || sub == "" || sub == "type" {
			continue
		}
		for _, p := range each.list {
			if p.takesRest() {
				return p, sub, each
			}
		}
	}
	return nil, "", nil
}

// closest returns the name that is most like a misspelt key, "" if none is.
func closest(all []*properties, key string) string {
	var names []string
	wild := map[int][]string{}  // stems by their number of dots
	full := map[string]string{} // names by their stems
	for _, each := range all {
		for _, p := range each.list {
			switch {
			case p.Hidden:
			case p.takesRest():
			case p.wild:
				stem := p.prefix + p.stem
				wild[strings.Count(stem, ".")] = append(wild[strings.Count(stem, ".")], stem)
				full[stem] = p.key()
			default:
				names = append(names, p.key())
				for _, alias := range p.Aliases {
					names = append(names, p.prefix+alias)
				}
			}
		}
	}
	// What a key has after a wildcard's stem may be anything.
	words := strings.SplitAfter(key, ".")
	for dots := len(words) - 1; dots > 0; dots-- {
		if stem := fault.Closest(strings.Join(words[:dots], ""), wild[dots]); stem != "" {
			return full[stem]
		}
	}
	return fault.Closest(key, names)
}

// takesRest says whether the property takes whatever no other does.
func (p *property) takesRest() bool { return p.wild && p.stem == "" }

// isBool says whether the property needs no value on a command line.
func (p *property) isBool() bool { return p.Target.Kind() == reflect.Bool }

// isChooser says whether the property is a component within the component.
func (p *property) isChooser() bool {
	_, ok := p.Target.Addr().Interface().(chooser)
	return ok
}

// isSlice says whether the property may be given several times.
func (p *property) isSlice() bool { return p.IsSlice() }

// notice returns why the property has no effect, "" if it has one.
func (p *property) notice() string { return p.Tag.Get("notice") }

// set gives the property a value. A slice is appended to; in a wildcard's map,
// sub is the key.
func (p *property) set(sub, text string) error {
	switch {
	case p.wild:
		return p.insert(sub, text)
	case p.IsMap():
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return fault.Hint(fmt.Errorf("%q has no key", text), "write KEY=VALUE")
		}
		return p.insert(key, value)
	case p.IsSlice():
		for _, word := range p.split(text) {
			element := reflect.New(p.Target.Type().Elem()).Elem()
			if err := p.assign(element, word); err != nil {
				return err
			}
			p.Target.Set(reflect.Append(p.Target, element))
		}
		return nil
	}
	return p.assign(p.Target, text)
}

// insert puts one value into the property's map.
func (p *property) insert(key, text string) error {
	value := reflect.New(p.Target.Type().Elem()).Elem()
	if err := p.assign(value, text); err != nil {
		return err
	}
	if p.Target.IsNil() {
		p.Target.Set(reflect.MakeMap(p.Target.Type()))
	}
	p.Target.SetMapIndex(reflect.ValueOf(key).Convert(p.Target.Type().Key()), value)
	return nil
}

// split takes the text of a slice apart. Empty values are left out.
func (p *property) split(text string) []string {
	switch p.Tag.Sep {
	case -1:
		return []string{text}
	case ' ':
		return strings.Fields(text)
	}
	var words []string
	for word := range strings.SplitSeq(text, string(p.Tag.Sep)) {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// assign reads text into target. Whole numbers and booleans are read as
// package option reads them, where kong would take 010 for eight and "yes" for
// true; other kinds are left to kong.
func (p *property) assign(target reflect.Value, text string) error {
	if p.Enum != "" {
		var err error
		if text, err = p.member(text); err != nil {
			return err
		}
	}
	if c, ok := target.Addr().Interface().(chooser); ok {
		var err error
		p.part, err = c.Choose(text)
		return err
	}
	if u, ok := target.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch target.Kind() {
	case reflect.String:
		target.SetString(text)
		return nil
	case reflect.Bool:
		var b option.Bool
		if err := b.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		target.SetBool(bool(b))
		return nil
	case reflect.Int, reflect.Int64:
		var n option.Int64
		if err := n.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		target.SetInt(int64(n))
		return nil
	}
	return p.Mapper.Decode(&kong.DecodeContext{
		Value: p.Value,
		Scan:  kong.ScanAsType(kong.FlagValueToken, text),
	}, target)
}

// member returns the value of the enum that text means.
func (p *property) member(text string) (string, error) {
	values := p.EnumSlice()
	for _, value := range values {
		if strings.EqualFold(value, text) {
			return value, nil
		}
	}
	err := fmt.Errorf("%q is not one of %s", text, strings.Join(values, ", "))
	if near := fault.Closest(text, values); near != "" {
		return "", fault.Hint(err, "did you mean %s?", near)
	}
	if p.HasDefault && p.Default != "" {
		return "", fault.Hint(err, "leave it out to have %s", p.Default)
	}
	return "", fault.Hint(err, "write one of them")
}

// reset gives the property its default. Without one it keeps what the struct
// came with.
func (p *property) reset() error {
	if !p.HasDefault {
		return nil
	}
	if p.Default == "" || p.isSlice() {
		p.Target.SetZero()
	}
	if p.Default == "" {
		return nil
	}
	return p.set("", p.Default)
}
