package pickle

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

// What CPython 3.11 writes in protocols 0 to 5 for
//
//	v = {'a': [1, -2, 300, 70000, -70000, 2**40, -2**70, 1.5, True, None, False], b'b': (b'x\x00\xff', 'é\n', ()), 't': (1, 2, 3, 4),
//	     's': {7}, 'f': frozenset([3]), 'o': OrderedDict([('k', 1), ('l', [2])])}; v['again'] = v['a']
var written = []string{
	"KGRwMApWYQpwMQoobHAyCkkxCmFJLTIKYUkzMDAKYUk3MDAwMAphSS03MDAwMAphTDEwOTk1MTE2Mjc3NzZMCmFMLTExODA1OTE2MjA3MTc0MTEzMDM0MjRMCmFGMS41CmFJMDEKYU5hSTAwCmFzY19jb2RlY3MKZW5jb2RlCnAzCihWYgpwNApWbGF0aW4xCnA1CnRwNgpScDcKKGczCihWeFx1MDAwMP8KcDgKZzUKdHA5ClJwMTAKVulcdTAwMGEKcDExCih0dHAxMgpzVnQKcDEzCihJMQpJMgpJMwpJNAp0cDE0CnNWcwpwMTUKY19fYnVpbHRpbl9fCnNldApwMTYKKChscDE3Ckk3CmF0cDE4ClJwMTkKc1ZmCnAyMApjX19idWlsdGluX18KZnJvemVuc2V0CnAyMQooKGxwMjIKSTMKYXRwMjMKUnAyNApzVm8KcDI1CmNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApwMjYKKHRScDI3ClZrCnAyOApJMQpzVmwKcDI5CihscDMwCkkyCmFzc1ZhZ2FpbgpwMzEKZzIKcy4=",
	"fXEAKFgBAAAAYXEBXXECKEsBSv7///9NLAFKcBEBAEqQ7v7/TDEwOTk1MTE2Mjc3NzZMCkwtMTE4MDU5MTYyMDcxNzQxMTMwMzQyNEwKRz/4AAAAAAAASTAxCk5JMDAKZWNfY29kZWNzCmVuY29kZQpxAyhYAQAAAGJxBFgGAAAAbGF0aW4xcQV0cQZScQcoaAMoWAQAAAB4AMO/cQhoBXRxCVJxClgDAAAAw6kKcQspdHEMWAEAAAB0cQ0oSwFLAksDSwR0cQ5YAQAAAHNxD2NfX2J1aWx0aW5fXwpzZXQKcRAoXXERSwdhdHESUnETWAEAAABmcRRjX19idWlsdGluX18KZnJvemVuc2V0CnEVKF1xFksDYXRxF1JxGFgBAAAAb3EZY2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnEaKVJxGyhYAQAAAGtxHEsBWAEAAABscR1dcR5LAmF1WAUAAABhZ2FpbnEfaAJ1Lg==",
	"gAJ9cQAoWAEAAABhcQFdcQIoSwFK/v///00sAUpwEQEASpDu/v+KBgAAAAAAAYoJAAAAAAAAAADARz/4AAAAAAAAiE6JZWNfY29kZWNzCmVuY29kZQpxA1gBAAAAYnEEWAYAAABsYXRpbjFxBYZxBlJxB2gDWAQAAAB4AMO/cQhoBYZxCVJxClgDAAAAw6kKcQsph3EMWAEAAAB0cQ0oSwFLAksDSwR0cQ5YAQAAAHNxD2NfX2J1aWx0aW5fXwpzZXQKcRBdcRFLB2GFcRJScRNYAQAAAGZxFGNfX2J1aWx0aW5fXwpmcm96ZW5zZXQKcRVdcRZLA2GFcRdScRhYAQAAAG9xGWNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxGilScRsoWAEAAABrcRxLAVgBAAAAbHEdXXEeSwJhdVgFAAAAYWdhaW5xH2gCdS4=",
	"gAN9cQAoWAEAAABhcQFdcQIoSwFK/v///00sAUpwEQEASpDu/v+KBgAAAAAAAYoJAAAAAAAAAADARz/4AAAAAAAAiE6JZUMBYnEDQwN4AP9xBFgDAAAAw6kKcQUph3EGWAEAAAB0cQcoSwFLAksDSwR0cQhYAQAAAHNxCWNidWlsdGlucwpzZXQKcQpdcQtLB2GFcQxScQ1YAQAAAGZxDmNidWlsdGlucwpmcm96ZW5zZXQKcQ9dcRBLA2GFcRFScRJYAQAAAG9xE2Njb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxFClScRUoWAEAAABrcRZLAVgBAAAAbHEXXXEYSwJhdVgFAAAAYWdhaW5xGWgCdS4=",
	"gASVtQAAAAAAAAB9lCiMAWGUXZQoSwFK/v///00sAUpwEQEASpDu/v+KBgAAAAAAAYoJAAAAAAAAAADARz/4AAAAAAAAiE6JZUMBYpRDA3gA/5SMA8OpCpQph5SMAXSUKEsBSwJLA0sEdJSMAXOUj5QoSweQjAFmlChLA5GUjAFvlIwLY29sbGVjdGlvbnOUjAtPcmRlcmVkRGljdJSTlClSlCiMAWuUSwGMAWyUXZRLAmF1jAVhZ2FpbpRoAnUu",
	"gAWVtQAAAAAAAAB9lCiMAWGUXZQoSwFK/v///00sAUpwEQEASpDu/v+KBgAAAAAAAYoJAAAAAAAAAADARz/4AAAAAAAAiE6JZUMBYpRDA3gA/5SMA8OpCpQph5SMAXSUKEsBSwJLA0sEdJSMAXOUj5QoSweQjAFmlChLA5GUjAFvlIwLY29sbGVjdGlvbnOUjAtPcmRlcmVkRGljdJSTlClSlCiMAWuUSwGMAWyUXZRLAmF1jAVhZ2FpbpRoAnUu",
}

// show writes a value down; lists are marked by where they are, to see what is shared.
func show(v any) string {
	join := func(items []any) string {
		var s []string
		for _, v := range items {
			s = append(s, show(v))
		}
		return strings.Join(s, " ")
	}
	dict := func(p []Pair) string {
		var s []string
		for _, kv := range p {
			s = append(s, show(kv.Key)+":"+show(kv.Value))
		}
		return strings.Join(s, " ")
	}
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case Bytes:
		return fmt.Sprintf("b%q", string(v))
	case Tuple:
		return "(" + join(v) + ")"
	case *List:
		return "[" + join(v.Items) + "]"
	case *Dict:
		return "{" + dict(v.Pairs) + "}"
	case *Reference:
		return "<" + show(v.ID) + ">"
	case *Call:
		name := strings.TrimPrefix(strings.TrimPrefix(v.Func.String(), "__builtin__."), "builtins.")
		if strings.HasSuffix(name, "set") && len(v.Args) == 1 { // protocol 4 has sets of its own
			return show(v.Args[0])
		}
		return name + show(v.Args) + dict(v.Pairs)
	}
	return fmt.Sprint(v)
}

func sets(g Global) bool {
	return g.Name == "set" || g.Name == "frozenset" || g == Global{"collections", "OrderedDict"}
}

func decode(t *testing.T, text string) (any, error) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return Decode(b, sets)
}

func TestProtocols(t *testing.T) {
	const want = `{"a":[1 -2 300 70000 -70000 1099511627776 -1180591620717411303424 1.5 true <nil> false] b"b":(b"x\x00\xff" "é\n" ()) "t":(1 2 3 4) ` +
		`"s":[7] "f":[3] "o":collections.OrderedDict()"k":1 "l":[2] "again":[1 -2 300 70000 -70000 1099511627776 -1180591620717411303424 1.5 true <nil> false]}`
	for protocol, text := range written {
		v, err := decode(t, text)
		if err != nil {
			t.Errorf("protocol %d: %v", protocol, err)
			continue
		}
		if got := show(v); got != want {
			t.Errorf("protocol %d: %s\nwant %s", protocol, got, want)
		}
		if d := v.(*Dict); d.Get("a") != d.Get("again") || d.Get("b") == nil || d.Get("c") != nil {
			t.Errorf("protocol %d: what was shared is not, or a key is not found", protocol)
		}
	}
}

// The first is a pickler's persistent_id, the second os.system, the third a
// Python 2 string.
func TestNamesAndReferences(t *testing.T) {
	v, err := decode(t, "gAJdcQAoWAcAAABzdG9yYWdlcQFYAQAAAHhxAksFh3EDUUsDZS4=")
	if err != nil || show(v) != `[<("storage" "x" 5)> 3]` {
		t.Errorf("%s, %v", show(v), err)
	}
	if v, err := decode(t, "gAJjcG9zaXgKc3lzdGVtCnEALg=="); err == nil || !strings.Contains(err.Error(), "posix.system") {
		t.Errorf("a call of posix.system gives %v, %v", v, err)
	}
	if v, err := Decode([]byte(`S'a\\b\x41\n"'`+"\n."), sets); err != nil || v != Bytes("a\\bA\n\"") {
		t.Errorf("%q, %v", v, err)
	}
}

// Cut off anywhere, or with a byte changed, a pickle is an error or some value.
func TestDamaged(t *testing.T) {
	for _, text := range written {
		b, _ := base64.StdEncoding.DecodeString(text)
		for i := range b {
			if _, err := Decode(b[:i], sets); err == nil {
				t.Fatalf("cut off at %d of %d: no error", i, len(b))
			}
			c := append([]byte{}, b...)
			for _, v := range []byte{0, '.', ')', 'R', 'u', 0xff} {
				c[i] = v
				_, _ = Decode(c, sets)
			}
		}
	}
}

// TestManySteps: memory for a long pickle of small objects is bounded.
func TestManySteps(t *testing.T) {
	b := append([]byte("\x80\x04"), bytes.Repeat([]byte("]\x940"), 5<<20)...)
	err := hostile.Read(t, len(b), func() error {
		_, err := Decode(append(b, "N."...), sets)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "more than 1048576 operations") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range written {
		b, _ := base64.StdEncoding.DecodeString(text)
		f.Add(b)
	}
	f.Add([]byte("\x80\x04(((((((((((ttttttttttt."))
	f.Add([]byte("F" + strings.Repeat("y", 5000) + "\n."))
	f.Add([]byte("cos\x1b\xff\nsystem\n."))
	f.Add([]byte("]q\x00h\x00ah\x00a2h\x002a."))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		var v, again any
		err := hostile.Read(t, len(b), func() (err error) {
			v, err = Decode(b, sets)
			return err
		})
		if err != nil {
			return
		}
		// A pickle behind a frame's header is the same pickle.
		framed := slices.Concat([]byte("\x80\x04\x95"), binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b)
		if again, err = Decode(framed, sets); err != nil || fmt.Sprintf("%T", again) != fmt.Sprintf("%T", v) {
			t.Errorf("in a frame: %T, %v; want %T", again, err, v)
		}
	})
}
