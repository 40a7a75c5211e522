%% A Diameter relay on Erlang/OTP's `diameter' application.
%%
%% relay:main([Name, Realm, Address, NextAddress]): listens on Address:3868, connects to
%% NextAddress:3868, and relays each request to a peer that is not its sender.
-module(relay).
-export([main/1]).
-export([peer_up/3, peer_down/3, pick_peer/4, prepare_request/3, prepare_retransmit/3,
         handle_answer/4, handle_error/4, handle_request/3]).

-define(RELAY, 16#FFFFFFFF).
-define(ANSWER_MS, 5000).
-define(LIFE_MS, 120000).

main([Name, Realm, Address, NextAddress]) ->
    {ok, _} = application:ensure_all_started(diameter),
    ok = diameter:start_service(?MODULE, [
        {'Origin-Host', Name}, {'Origin-Realm', Realm}, {'Vendor-Id', 0},
        {'Product-Name', "otp-relay"}, {'Auth-Application-Id', [?RELAY]},
        {decode_format, map}, {string_decode, false}, {strict_mbit, false},
        {restrict_connections, false},
        {application, [{alias, relay}, {dictionary, diameter_gen_relay}, {module, ?MODULE},
                       {call_mutates_state, false}]}]),
    {ok, Own} = inet:parse_address(Address),
    {ok, Next} = inet:parse_address(NextAddress),
    transport(listen, [], [{ip, Own}, {port, 3868}, {reuseaddr, true}]),
    transport(connect, [{connect_timer, 1000}], [{ip, Own}, {raddr, Next}, {rport, 3868}]),
    io:format("ready~n"),
    timer:sleep(?LIFE_MS),
    halt(0).

transport(Role, Options, Config) ->
    Transport = [{transport_module, diameter_tcp}, {transport_config, Config} | Options],
    {ok, _} = diameter:add_transport(?MODULE, {Role, Transport}).

%% Debian leaves out diameter.hrl. The first field of #diameter_caps{} is Origin-Host, ours and
%% the peer's.
handle_request(_, _, {_, Capabilities}) ->
    {_Own, Asker} = element(2, Capabilities),
    {relay, [{timeout, ?ANSWER_MS}, {filter, {neg, {host, Asker}}}]}.

%% A relay knows only its neighbours: whoever is not the asker serves.
pick_peer([Peer | _], _, _, _) -> {ok, Peer};
pick_peer([], _, _, _) -> false.

prepare_request(Packet, _, _) -> {send, Packet}.
prepare_retransmit(Packet, _, _) -> {send, Packet}.
handle_answer(Packet, _, _, _) -> Packet.
handle_error(Reason, _, _, _) -> {error, Reason}.
peer_up(_, _, State) -> State.
peer_down(_, _, State) -> State.
