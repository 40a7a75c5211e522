"""A home HSS on python-diameter: AIR and ULR succeed for everybody.

usage: hss.py ADDRESS PORT PEER PEER_REALM
"""

import sys
import time

from diameter.message.avp.grouped import AuthenticationInfo, EUtranVector
from diameter.message.commands import AuthenticationInformationRequest
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication

S6A = 16777251
HOST, REALM = "hss1.home.lab", "home.lab"
LIFE_S = 120


def answer(application, request):
    reply = request.to_answer()
    reply.session_id = request.session_id
    reply.origin_host, reply.origin_realm = HOST.encode(), REALM.encode()
    reply.result_code, reply.auth_session_state = 2001, 1
    if isinstance(request, AuthenticationInformationRequest):
        vector = EUtranVector(rand=b"1" * 16, xres=b"2" * 8, autn=b"3" * 16, kasme=b"4" * 32)
        reply.authentication_info = AuthenticationInfo(e_utran_vector=[vector])
    else:
        reply.ula_flags = 1
    route = b" ".join(request.route_record or []).decode()
    print(type(request).__name__, request.user_name, "by", route, flush=True)
    return reply


address, port, peer, peer_realm = sys.argv[1:]
node = Node(HOST, REALM, ip_addresses=[address], tcp_port=int(port), vendor_ids=[10415])
gateway = node.add_peer(f"aaa://{peer}", peer_realm, is_persistent=False)
application = SimpleThreadingApplication(S6A, is_auth_application=True, request_handler=answer)
node.add_application(application, [gateway], [REALM])
node.wakeup_interval = 1
node.start()
print("ready", flush=True)
time.sleep(LIFE_S)
node.stop()
