# Decides by a table in its data: {"apis": [{"full_method": "...", "for": ["local", "admin"]}]}, and lets one workload
# create entries below /team only.
package spire

permits(who) if {
	some api in data.apis
	api.full_method == input.full_method
	who in api.for
}

permits(who) if {
	who == "anyone"
	input.full_method == "/spire.api.server.entry.v1.Entry/BatchCreateEntry"
	input.caller == "spiffe://example.org/team-admin"
	every entry in input.req.entries {
		startswith(entry.spiffe_id.path, "/team/")
	}
}

default given(_) := false

given(who) if permits(who)

result := {
	"allow": given("anyone"),
	"allow_if_local": given("local"),
	"allow_if_admin": given("admin"),
	"allow_if_agent": given("agent"),
	"allow_if_downstream": given("downstream"),
}
