export { begin, greet, type Message, openSocket, Socket, subscribed } from '../../isolation/http/socket.ts';

export const todoChanged = 'subscription { todoChanged { event rowId todo { title } } }';
export const listChanged = 'subscription { listChanged { event rowId list { name } } }';
